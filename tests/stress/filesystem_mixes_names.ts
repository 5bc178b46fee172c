/**
 * Mixes about names: the tree, exclusive creation, replacing by rename, large directories.
 *
 * @module
 */
import type { FileSystem } from "../../mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { allow, attempt } from "../support/stress.ts";
import type { Mix, Shift } from "./filesystem_shift.ts";

/** What may become of an operation whose paths others change meanwhile. */
const TREE_CODES = ["ENOENT", "EEXIST", "ENOTDIR", "EISDIR", "ENOTEMPTY", "EINVAL", "ELOOP", "EPERM"];

/** Anything anywhere in a small tree, so that everything meets everything. */
const tree: Mix = {
  prepare(fs) {
    for (let top = 0; top < 3; top++) fs.mkdirSync(`/d${top}/a/b`, { recursive: true });
  },
  work(shift) {
    const { fs, random } = shift;
    const bytes = new Uint8Array(9000);
    const directory = (): string => {
      const top = `/d${random.below(3)}`;
      switch (random.below(4)) {
        case 0:
          return top;
        case 1:
          return `${top}/${random.of(["a", "b", "c"])}`;
        case 2:
          return `${top}/${random.of(["a", "b", "c"])}/${random.of(["a", "b"])}`;
        default:
          return `${top}/${random.of(["a", "b"])}/../${random.of(["a", "l"])}`;
      }
    };
    const file = () => `${directory()}/f${random.below(12)}`;
    const counts: Record<string, number> = {};
    while (shift.goOn()) {
      const code = attempt(() => act(shift, random.below(18), directory, file, bytes));
      counts[code] = (counts[code] ?? 0) + 1;
      if (code !== "ok") shift.demand(TREE_CODES.includes(code), () => `an operation on the tree gave ${code}`);
    }
    fs.accessSync("/");
    return counts;
  },
};

function act(shift: Shift, what: number, directory: () => string, file: () => string, bytes: Uint8Array): void {
  const { fs, random } = shift;
  switch (what) {
    case 0:
    case 1:
      fs.writeFileSync(file(), bytes.subarray(0, random.below(9000)));
      break;
    case 2:
      fs.readFileSync(file());
      break;
    case 3:
      fs.unlinkSync(file());
      break;
    case 4:
      fs.renameSync(file(), file());
      break;
    case 5:
      fs.linkSync(file(), file());
      break;
    case 6:
      fs.mkdirSync(directory());
      break;
    case 7:
      fs.mkdirSync(directory(), { recursive: true });
      break;
    case 8:
      fs.rmdirSync(directory());
      break;
    case 9:
    case 10:
      fs.renameSync(directory(), directory());
      break;
    case 11:
      if (random.oneIn(10)) fs.rmSync(directory(), { recursive: true, force: true });
      break;
    case 12:
      fs.readdirSync(directory(), { recursive: random.oneIn(2), withFileTypes: true });
      break;
    case 13:
      fs.symlinkSync(random.of(["a", "../d1/a", "/d2", "l", "b/f1"]), `${directory()}/l`);
      break;
    case 14:
      fs.truncateSync(file(), random.below(20_000));
      break;
    case 15:
      fs.realpathSync(file());
      break;
    case 16:
      fs.copyFileSync(file(), file());
      break;
    default:
      fs.chmodSync(file(), 0o600 + random.below(8));
      fs.statSync(file());
  }
}

interface ClaimReport {
  readonly claimed: number[][];
  readonly turns: number;
}

/** Word of the shared words in which the holder of the lock file counts. */
const HOLDER = 1;

/** Exclusive creation: each name is claimed by exactly one, and a file that is created exclusively is a lock. */
const claims: Mix = {
  prepare(fs) {
    for (const kind of ["file", "dir", "link", "symlink"]) fs.mkdirSync(`/claim-${kind}`);
    fs.writeFileSync("/claim-source", "");
  },
  work(shift): ClaimReport {
    const { fs, random, job } = shift;
    const claimed: number[][] = [[], [], [], []];
    let turns = 0;
    for (let next = 0; shift.goOn(); next++) {
      const ways = [
        () => fs.closeSync(fs.openSync(`/claim-file/${next}`, "wx")),
        () => fs.mkdirSync(`/claim-dir/${next}`),
        () => fs.linkSync("/claim-source", `/claim-link/${next}`),
        () => fs.symlinkSync(String(job.index), `/claim-symlink/${next}`),
      ];
      for (let way = random.below(4), count = 4; count > 0; count--, way = (way + 1) % 4) {
        if (allow(["EEXIST"], ways[way]!)) claimed[way]!.push(next);
      }
      let fd = -1;
      if (!allow(["EEXIST"], () => fd = fs.openSync("/claim-lock", "wx"))) continue;
      const inside = Atomics.add(job.shared, HOLDER, 1);
      shift.demand(inside === 0, () => `${inside} others hold the lock file`);
      fs.closeSync(fd);
      Atomics.sub(job.shared, HOLDER, 1);
      fs.unlinkSync("/claim-lock");
      turns++;
    }
    return { claimed, turns };
  },
  verify(fs, reports) {
    const workers = reports as ClaimReport[];
    ["file", "dir", "link", "symlink"].forEach((kind, way) => {
      const claimed = workers.flatMap((report) => report.claimed[way]!);
      assertEquals(new Set(claimed).size, claimed.length, `a ${kind} was claimed twice`);
      assertEquals(fs.readdirSync(`/claim-${kind}`).length, claimed.length, `${kind}s claimed`);
    });
    const links = workers.reduce((sum, report) => sum + report.claimed[2]!.length, 1);
    assertEquals(fs.statSync("/claim-source").nlink, links, "names of the linked file");
  },
};

const TARGETS = 3;

/** Files and directories that are replaced by rename: never gone, never mixed. */
const replace: Mix = {
  prepare(fs) {
    fs.mkdirSync("/replace/staging", { recursive: true });
    for (let target = 0; target < TARGETS; target++) {
      fs.writeFileSync(`/replace/t${target}`, new Uint8Array(100).fill(1));
      fs.mkdirSync(`/replace/d${target}`);
      fs.symlinkSync(`t${target}`, `/replace/l${target}`);
    }
  },
  work(shift) {
    const { fs, random, job } = shift;
    const bytes = new Uint8Array(20_000);
    let replaced = 0;
    while (shift.goOn()) {
      const number = random.below(TARGETS);
      const target = `/replace/t${number}`;
      switch (random.below(8)) {
        case 0:
        case 1: {
          const staged = `/replace/staging/w${job.index}`;
          // The length tells the byte, so that contents of another file are seen, too.
          const length = 100 + random.below(19_000);
          fs.writeFileSync(staged, bytes.subarray(0, length).fill(1 + length % 251));
          fs.renameSync(staged, target);
          replaced++;
          break;
        }
        case 2: {
          const staged = `/replace/staging/d${job.index}`;
          fs.mkdirSync(staged);
          fs.renameSync(staged, `/replace/d${number}`);
          break;
        }
        case 3:
          shift.demand(fs.statSync(`/replace/d${number}`).isDirectory(), () => `d${number} is no directory`);
          fs.readdirSync(`/replace/d${number}`);
          break;
        case 4: {
          const staged = `/replace/staging/l${job.index}`;
          fs.symlinkSync(`t${random.below(TARGETS)}`, staged);
          fs.renameSync(staged, `/replace/l${number}`);
          break;
        }
        case 5:
          shift.demand(fs.statSync(`/replace/l${number}`).size >= 100, () => `l${number} leads to a short file`);
          break;
        case 6: {
          const stats = fs.statSync(target);
          shift.demand(
            stats.size >= 100 && stats.nlink <= 1,
            () => `${target}: size ${stats.size}, nlink ${stats.nlink}`,
          );
          break;
        }
        default: {
          const content = fs.readFileSync(random.oneIn(3) ? `/replace/l${number}` : target);
          const byte = content.length === 100 && content[0] === 1 ? 1 : 1 + content.length % 251;
          const wrong = content.findIndex((value) => value !== byte);
          shift.demand(
            wrong < 0,
            () => `${target}: byte ${wrong} of ${content.length} is ${content[wrong]}, not ${byte}`,
          );
        }
      }
    }
    return replaced;
  },
};

const KEPT = 300;

/** A directory that grows to thousands of entries and shrinks again, with names in it that are always there. */
const large: Mix = {
  prepare(fs) {
    for (const directory of ["/large", "/other"]) {
      fs.mkdirSync(directory);
      for (let name = 0; name < KEPT; name++) fs.linkSync(keptOf(fs), `${directory}/kept-${name}`);
    }
  },
  work(shift) {
    const { fs, random, job } = shift;
    /** What this worker has in the directories; nobody else touches these names. */
    const own = [new Set<string>(), new Set<string>()];
    const paths = ["/large", "/other"];
    let grows = true;
    let most = 0;
    while (shift.goOn()) {
      const which = random.oneIn(5) ? 1 : 0;
      const mine = own[which]!;
      const path = paths[which]!;
      const name = `w${job.index}-${"x".repeat(random.below(30))}${random.below(3000)}`;
      const known = mine.has(name);
      if (mine.size > 2000 || random.oneIn(3000)) grows = false;
      if (mine.size < 10) grows = true;
      most = Math.max(most, mine.size);
      switch (random.below(12)) {
        case 0:
          shift.demand(fs.existsSync(`${path}/${name}`) === known, () => `${name} exists: ${!known}`);
          break;
        case 1:
          fs.statSync(`${path}/kept-${random.below(KEPT)}`);
          break;
        case 2: {
          // Within the directory and to the other one.
          const [first] = mine;
          const to = random.below(2);
          // Renaming one name of a file onto another of the same file does nothing.
          if (first === undefined || own[to]!.has(name)) break;
          fs.renameSync(`${path}/${first}`, `${paths[to]}/${name}`);
          mine.delete(first);
          own[to]!.add(name);
          break;
        }
        case 3:
          if (random.oneIn(10)) list(shift, path, mine);
          break;
        default:
          if (grows ? !known : random.oneIn(4)) {
            const code = attempt(() => fs.linkSync("/kept", `${path}/${name}`));
            shift.demand(code === (known ? "EEXIST" : "ok"), () => `linking ${name}, known ${known}: ${code}`);
            mine.add(name);
          } else {
            const [first] = mine;
            if (first === undefined) break;
            fs.unlinkSync(`${path}/${first}`);
            mine.delete(first);
          }
      }
    }
    own.forEach((mine, which) => list(shift, paths[which]!, mine));
    // Most is taken out again, so that the index shrinks.
    own.forEach((mine, which) => {
      for (const name of mine) if (!random.oneIn(20)) fs.unlinkSync(`${paths[which]}/${name}`);
    });
    return most;
  },
  verify(fs) {
    const { nlink } = fs.statSync("/kept");
    assertEquals(fs.readdirSync("/large").length + fs.readdirSync("/other").length + 1, nlink, "names of the file");
  },
};

function keptOf(fs: FileSystem): string {
  if (!fs.existsSync("/kept")) fs.writeFileSync("/kept", "kept");
  return "/kept";
}

/** Lists the directory: names that are always there appear exactly once, others at most once. */
function list(shift: Shift, path: string, mine: ReadonlySet<string>): void {
  const names = shift.fs.readdirSync(path);
  const seen = new Set(names);
  assert(seen.size === names.length, `${path} lists a name twice`);
  for (let name = 0; name < KEPT; name++) {
    shift.demand(seen.has(`kept-${name}`), () => `${path} does not list kept-${name}`);
  }
  for (const name of mine) shift.demand(seen.has(name), () => `${path} does not list ${name}`);
  const prefix = `w${shift.job.index}-`;
  for (const name of names) {
    shift.demand(!name.startsWith(prefix) || mine.has(name), () => `${path} lists ${name}, which was removed`);
  }
}

/** Directories that come and go while files are created in them, directories that are given an index among them. */
const folders: Mix = {
  prepare(fs) {
    fs.mkdirSync("/folders");
  },
  work(shift) {
    const { fs, random, job } = shift;
    let created = 0;
    while (shift.goOn()) {
      const folder = `/folders/f${random.below(3)}`;
      switch (random.below(10)) {
        case 0:
          allow(["EEXIST"], () => fs.mkdirSync(folder));
          break;
        case 1:
          allow(["ENOENT", "ENOTEMPTY"], () => fs.rmdirSync(folder));
          break;
        case 2:
          if (random.oneIn(5)) {
            // Enough names to give it an index.
            for (let name = 0; name < 60; name++) {
              if (!allow(["ENOENT"], () => fs.writeFileSync(`${folder}/w${job.index}-with-a-long-name-${name}`, ""))) {
                break;
              }
            }
          } else allow(["ENOENT", "ENOTEMPTY"], () => fs.renameSync(folder, `/folders/f${random.below(3)}`));
          break;
        case 3:
          allow(["ENOENT"], () => fs.rmSync(folder, { recursive: true, force: true }));
          break;
        case 4:
          allow(["ENOENT"], () => fs.mkdirSync(`${folder}/deep/er`, { recursive: true }));
          break;
        default: {
          const name = `${folder}/w${job.index}-${random.below(5)}`;
          if (allow(["ENOENT"], () => fs.writeFileSync(name, "x".repeat(random.below(200))))) created++;
          if (random.oneIn(2)) allow(["ENOENT"], () => fs.unlinkSync(name));
        }
      }
    }
    return created;
  },
};

/** The mixes of this module. */
export const NAME_MIXES: Readonly<Record<string, Mix>> = { tree, claims, replace, large, folders };
