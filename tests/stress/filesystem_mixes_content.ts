/**
 * Mixes about what is in files: reads that must not be torn, appends that must not be lost, growth of the pool, files that
 * are unlinked while they are open.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { assertEquals } from "../support/assert.ts";
import { allow, attempt } from "../support/stress.ts";
import { fillPattern, type Mix, patternFault, type Shift } from "./filesystem_shift.ts";

const SENTINEL = 0xa5;

/** Lengths of the files that are written whole: inline, one extent, several extents. */
const WHOLE_BYTES = [40, 4096, 5001, 70_000, 200_003];

/** Makes a file of several extents: every second unit first, then what is between. */
function writeScattered(fs: FileSystem, path: string, length: number, byte: number): void {
  const fd = fs.openSync(path, "w+");
  const bytes = new Uint8Array(length).fill(byte);
  const step = Math.max(64, Math.ceil(length / 11 / 64) * 64);
  for (const phase of [0, 1]) {
    for (let at = phase * step; at < length; at += 2 * step) {
      fs.writeSync(fd, bytes, at, Math.min(step, length - at), at);
    }
  }
  fs.closeSync(fd);
}

/** Files that are always written whole, with one byte value: whatever is read is of one value. */
const whole: Mix = {
  prepare(fs) {
    fs.mkdirSync("/whole");
    WHOLE_BYTES.forEach((length, index) => writeScattered(fs, `/whole/f${index}`, length, index + 1));
  },
  work: workWhole,
};

function workWhole(shift: Shift): number {
  const { fs, random } = shift;
  const fds = WHOLE_BYTES.map((_, index) => fs.openSync(`/whole/f${index}`, "r+"));
  const most = Math.max(...WHOLE_BYTES);
  const bytes = new Uint8Array(most + 256);
  const source = new Uint8Array(most + 256);
  let reads = 0;
  while (shift.goOn()) {
    const index = random.below(fds.length);
    const length = WHOLE_BYTES[index]!;
    const fd = fds[index]!;
    const offset = 64 + random.below(17);
    const what = random.below(10);
    if (what < 3) {
      source.fill(1 + random.below(250), 0, length + 100);
      fs.writeSync(fd, source, random.below(17), length, 0);
    } else if (what === 3) {
      fs.ftruncateSync(fd, Math.min(length, random.of([0, 1, 41, 4000])));
    } else if (what === 4) {
      const { size, blocks } = fs.fstatSync(fd);
      shift.demand(size <= length, () => `a file of at most ${length} bytes has ${size}, ${blocks} blocks`);
    } else if (what === 5 && random.oneIn(20)) {
      fs.defragment({ budgetMs: 2 });
    } else {
      // An odd part of it, or all.
      const position = random.oneIn(2) ? 0 : random.below(length);
      const wanted = random.oneIn(2) ? length - position : 1 + random.below(length - position);
      bytes.fill(SENTINEL, 0, offset + wanted + 64);
      const count = fs.readSync(fd, bytes, offset, wanted, position);
      if (count > 0) {
        shift.homogeneous(bytes, offset, count, SENTINEL, `reading ${wanted} of file ${index} at ${position}`);
      }
      reads++;
    }
  }
  return reads;
}

/** Records within a file that are written at their places: each is of one value at any time. */
const records: Mix = {
  prepare(fs) {
    fs.writeFileSync("/records", new Uint8Array(64 * 1024));
  },
  work(shift) {
    const { fs, random } = shift;
    const fd = fs.openSync("/records", "r+");
    // Records of 1000 bytes begin at no unit of an extent but the first.
    const record = new Uint8Array(1000);
    const bytes = new Uint8Array(2000);
    const slots = Math.floor(64 * 1024 / 1000);
    let reads = 0;
    while (shift.goOn()) {
      const slot = random.below(slots);
      if (random.oneIn(3)) {
        record.fill(1 + random.below(250));
        fs.writeSync(fd, record, 0, 1000, slot * 1000);
        continue;
      }
      bytes.fill(SENTINEL);
      const offset = random.below(900);
      const count = fs.readSync(fd, bytes, offset, 1000, slot * 1000);
      shift.demand(count === 1000, () => `record ${slot}: ${count} bytes`);
      shift.homogeneous(bytes, offset, 1000, SENTINEL, `record ${slot}`);
      reads++;
    }
    fs.closeSync(fd);
    return reads;
  },
};

interface LogReport {
  readonly index: number;
  readonly counts: number[];
}

const LOGS = 2;

function logRecord(worker: number, sequence: number, length: number): string {
  const head = `<${worker}:${sequence}:${length}:`;
  return head + String.fromCharCode(97 + (worker * 7 + sequence) % 26).repeat(length) + ">\n";
}

/** Logs that all append to: every record once, whole, each worker's in order. */
const append: Mix = {
  prepare(fs) {
    for (let log = 0; log < LOGS; log++) fs.writeFileSync(`/log${log}`, "");
  },
  work(shift): LogReport {
    const { fs, random, job } = shift;
    const fds = Array.from({ length: LOGS }, (_, log) => fs.openSync(`/log${log}`, "a+"));
    const counts = new Array<number>(LOGS).fill(0);
    const encoder = new TextEncoder();
    let bytesLeft = 6_000_000 / job.workers;
    while (shift.goOn() && bytesLeft > 0) {
      const log = random.below(LOGS);
      const length = random.oneIn(20) ? random.below(9000) : random.below(120);
      const text = logRecord(job.index, counts[log]!++, length);
      bytesLeft -= text.length;
      const fd = fds[log]!;
      switch (random.below(4)) {
        case 0:
          fs.writeSync(fd, text);
          break;
        case 1: {
          // The position means nothing to a file that is opened for appending.
          const bytes = encoder.encode(text);
          fs.writeSync(fd, bytes, 0, bytes.length, 0);
          break;
        }
        case 2: {
          const middle = random.below(text.length);
          fs.writevSync(fd, [encoder.encode(text.slice(0, middle)), encoder.encode(text.slice(middle))]);
          break;
        }
        default:
          fs.appendFileSync(`/log${log}`, text);
      }
    }
    return { index: job.index, counts };
  },
  verify(fs, reports) {
    const workers = reports as LogReport[];
    for (let log = 0; log < LOGS; log++) {
      const seen = workers.map(() => 0);
      const text = fs.readFileSync(`/log${log}`, "utf8");
      let at = 0;
      while (at < text.length) {
        const head = /^<(\d+):(\d+):(\d+):/.exec(text.slice(at, at + 40));
        if (head === null) throw new Error(`log ${log} at ${at}: ${JSON.stringify(text.slice(at, at + 60))}`);
        const [worker, sequence, length] = [Number(head[1]), Number(head[2]), Number(head[3])];
        assertEquals(sequence, seen[worker]!++, `log ${log}: order of worker ${worker}'s records`);
        const record = logRecord(worker, sequence, length);
        if (text.slice(at, at + record.length) !== record) throw new Error(`log ${log} at ${at}: a torn record`);
        at += record.length;
      }
      assertEquals(seen, workers.map(({ counts }) => counts[log]!), `records in log ${log}`);
    }
  },
};

const GROWTH_BYTES = 96 << 20;

/** Files that grow, and the pool with them, while others read them; every byte is known. */
const growth: Mix = {
  prepare(fs) {
    fs.mkdirSync("/growth");
  },
  work(shift) {
    const { fs, random, job } = shift;
    const own = fs.openSync(`/growth/w${job.index}`, "w+");
    const others = new Map<number, number>();
    let size = 0;
    const chunk = new Uint8Array(120_000);
    const share = GROWTH_BYTES / job.workers;
    while (shift.goOn()) {
      if (size < share && random.below(3) > 0) {
        const bytes = chunk.subarray(0, 1 + random.below(random.oneIn(4) ? chunk.length : 3000));
        fillPattern(bytes, job.index, size);
        fs.writeSync(own, bytes, 0, bytes.length, size);
        size += bytes.length;
      } else if (random.oneIn(200)) {
        // Gives space back, which the others then take.
        size = random.below(size + 1);
        fs.ftruncateSync(own, size);
      }
      const owner = random.below(job.workers);
      let fd = others.get(owner);
      if (fd === undefined) {
        if (!fs.existsSync(`/growth/w${owner}`)) continue;
        others.set(owner, fd = fs.openSync(`/growth/w${owner}`, "r"));
      }
      const position = random.below(fs.fstatSync(fd).size + 1);
      const bytes = chunk.subarray(0, 1 + random.below(6000));
      const count = fs.readSync(fd, bytes, 0, bytes.length, position);
      const fault = patternFault(bytes, count, owner, position);
      shift.demand(fault < 0, () => `file of ${owner}: byte ${position + fault} is ${bytes[fault]}`);
    }
    fs.ftruncateSync(own, size);
    return size;
  },
  verify(fs, reports) {
    (reports as number[]).forEach((size, owner) => {
      const bytes = fs.readFileSync(`/growth/w${owner}`);
      assertEquals(bytes.length, size, `size of file ${owner}`);
      assertEquals(patternFault(bytes, size, owner, 0), -1, `contents of file ${owner}`);
    });
  },
};

const ORPHAN_NAMES = 8;

/** Files that lose their names while others have them open: each open one keeps its contents to the last close. */
const orphans: Mix = {
  prepare(fs) {
    fs.mkdirSync("/orphans");
  },
  work(shift) {
    const { fs, random, job } = shift;
    const held: { fd: number; id: number; length: number }[] = [];
    const bytes = new Uint8Array(9000);
    let sequence = 0;
    const open = (name: string) => {
      let fd = -1;
      if (!allow(["ENOENT"], () => fd = fs.openSync(name, "r+"))) return;
      const count = fs.readSync(fd, bytes, 0, bytes.length, 0);
      const [id, length] = new Uint32Array(bytes.buffer, 0, 2) as unknown as [number, number];
      shift.demand(count === length, () => `${name} has ${count} bytes, but says that it has ${length}`);
      held.push({ fd, id, length });
    };
    while (shift.goOn()) {
      const name = `/orphans/f${random.below(ORPHAN_NAMES)}`;
      switch (random.below(6)) {
        case 0: {
          const id = job.index * 1_000_000 + sequence++;
          const length = 8 + random.below(random.oneIn(3) ? 8000 : 60);
          const content = bytes.subarray(0, length);
          fillPattern(content, id, 0);
          new Uint32Array(bytes.buffer, 0, 2).set([id, length]);
          const temporary = `/orphans/t${job.index}`;
          fs.writeFileSync(temporary, content);
          fs.renameSync(temporary, name);
          break;
        }
        case 1:
          allow(["ENOENT"], () => fs.unlinkSync(name));
          break;
        case 2:
          if (held.length < 12) open(name);
          break;
        case 3: {
          const index = random.below(held.length);
          const file = held[index];
          if (file === undefined) break;
          fs.closeSync(file.fd);
          held.splice(index, 1);
          break;
        }
        default: {
          const file = held[random.below(held.length)];
          if (file === undefined) break;
          bytes.fill(SENTINEL);
          const count = fs.readSync(file.fd, bytes, 0, bytes.length, 0);
          const [id, length] = new Uint32Array(bytes.buffer, 0, 2) as unknown as [number, number];
          shift.demand(
            count === file.length && id === file.id && length === file.length,
            () => `an open file was ${file.id} of ${file.length} bytes, now it is ${id} of ${length} (${count} read)`,
          );
          const fault = patternFault(bytes.subarray(8), length - 8, id, 8);
          shift.demand(fault < 0, () => `open file ${id}: byte ${fault + 8} of ${length}`);
        }
      }
    }
    // Some are closed by hand, the rest when the agent detaches.
    for (const { fd } of held.splice(0, held.length >> 1)) fs.closeSync(fd);
    return sequence;
  },
};

/** Sizes and times that change together: a `stat` sees both of one moment. */
const stats: Mix = {
  prepare(fs) {
    for (let file = 0; file < 3; file++) {
      fs.writeFileSync(`/stat${file}`, "");
      fs.utimesSync(`/stat${file}`, 1, 1);
    }
  },
  work(shift) {
    const { fs, random } = shift;
    let seen = 0;
    while (shift.goOn()) {
      const path = `/stat${random.below(3)}`;
      if (random.oneIn(2)) {
        // Access and modification time are set as one change.
        const seconds = 1 + random.below(1_000_000);
        fs.utimesSync(path, seconds, seconds);
      } else if (random.oneIn(4)) {
        fs.chownSync(path, seen, seen);
      } else {
        const { atimeMs, mtimeMs, uid, gid, nlink } = fs.statSync(path);
        shift.demand(atimeMs === mtimeMs, () => `${path}: atime ${atimeMs}, mtime ${mtimeMs}`);
        shift.demand(uid === gid, () => `${path}: uid ${uid}, gid ${gid}`);
        shift.demand(nlink === 1, () => `${path}: nlink ${nlink}`);
        seen++;
      }
    }
    return seen;
  },
};

/** Agents that come, work, and go without closing what they have open. */
const comings: Mix = {
  prepare(fs) {
    fs.mkdirSync("/comings");
    fs.writeFileSync("/comings/shared", "shared");
  },
  work(shift) {
    const { fs, random, job } = shift;
    let agents = 0;
    let last = -1;
    while (shift.goOn()) {
      const other = FileSystem.attach(fs.handle, { debugLevel: job.debugLevel, readOnly: random.oneIn(5) });
      shift.demand(other.agentId !== last && other.agentId !== fs.agentId, () => `agent ${last} came back`);
      last = other.agentId;
      agents++;
      for (let step = random.below(6); step > 0; step--) {
        const name = `/comings/c${random.below(10)}`;
        switch (random.below(4)) {
          case 0: {
            const code = attempt(() => other.writeSync(other.openSync(name, "a"), `agent ${last}\n`));
            shift.demand(code === "ok" || code === "EROFS", () => `appending to ${name}: ${code}`);
            break;
          }
          case 1:
            allow(["ENOENT", "EROFS"], () => other.unlinkSync(name));
            break;
          case 2:
            allow(["ENOENT"], () => other.openSync(name, "r"));
            break;
          default:
            shift.demand(other.readFileSync("/comings/shared", "utf8") === "shared", () => "the shared file");
        }
      }
      if (random.oneIn(8)) fs.retire(other.agentId);
      other.detach();
    }
    return agents;
  },
};

/** A pool that is filled to the last byte by all at once, verified, emptied and filled again. */
const fill: Mix = {
  apart: true,
  work(shift) {
    const { fs, random, job } = shift;
    let refused = 0;
    const bytes = new Uint8Array(40_000);
    for (let round = 0; shift.goOn() || round < 2; round++) {
      const root = `/fill${job.index}`;
      if (attempt(() => fs.mkdirSync(root)) === "ENOSPC") continue;
      const lengths: number[] = [];
      for (let failures = 0; failures < 20;) {
        const number = lengths.length;
        const content = bytes.subarray(0, random.below(random.oneIn(3) ? bytes.length : 2000));
        fillPattern(content, job.index * 1000 + number, 0);
        const path = `${root}/${number}`;
        if (allow(["ENOSPC"], () => fs.writeFileSync(path, content))) {
          lengths.push(content.length);
          continue;
        }
        failures++;
        refused++;
        // Its name may have been made: nothing that has been refused is half there.
        const { size } = fs.statSync(path, { throwIfNoEntry: false }) ?? { size: 0 };
        shift.demand(size === 0, () => `${path} has ${size} bytes, writing it was refused`);
        if (fs.existsSync(path)) fs.unlinkSync(path);
      }
      lengths.forEach((length, number) => {
        const fd = fs.openSync(`${root}/${number}`, "r");
        const count = fs.readSync(fd, bytes, 0, bytes.length, 0);
        fs.closeSync(fd);
        const fault = patternFault(bytes, count, job.index * 1000 + number, 0);
        shift.demand(
          count === length && fault < 0,
          () => `file ${number}: ${count} of ${length} bytes, wrong at ${fault}`,
        );
      });
      // What is there can be written again without room for more, and deleted.
      lengths.forEach((length, number) => {
        if (length === 0) return;
        const fd = fs.openSync(`${root}/${number}`, "r+");
        fs.writeSync(fd, bytes, 0, length, 0);
        fs.closeSync(fd);
      });
      shift.check();
      fs.rmSync(root, { recursive: true });
    }
    return refused;
  },
};

/** The mixes of this module. */
export const CONTENT_MIXES: Readonly<Record<string, Mix>> = {
  whole,
  records,
  append,
  growth,
  orphans,
  stats,
  comings,
  fill,
};
