/**
 * What another agent does between the steps that a program's core takes: each race is run step by step.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { assertEquals } from "../../support/assert.ts";
import { assertSound } from "../../support/stress.ts";
import { ERRNO, errnoOf, FLAGS, loadPrograms, mountIn, type ProgramFS } from "./programs.ts";

interface Race {
  readonly FS: ProgramFS;
  readonly folder: string;
  readonly other: FileSystem;
  /** Runs a call; after its n-th look at a name another agent does something. */
  readonly during: <T>(name: string, look: number, action: () => void, call: () => T) => T;
}

function race(name: string, run: (race: Race) => void): void {
  Deno.test(name, async (t) => {
    for (const program of await loadPrograms()) {
      await t.step(program.name, () => {
        const { FS } = program;
        using fs = FileSystem.create({ maximumBytes: 32 << 20, debugLevel: 3 });
        using other = FileSystem.attach(fs.handle, { debugLevel: 3 });
        const folder = mountIn(program, fs);
        const ops = FS.lookupPath(folder).node.node_ops as { lookup: (parent: unknown, name: string) => unknown };
        const { lookup } = ops;
        run({
          FS,
          folder,
          other,
          during(name, look, action, call) {
            let looks = 0;
            ops.lookup = (parent, wanted) => {
              try {
                return lookup(parent, wanted);
              } finally {
                if (wanted === name && ++looks === look) action();
              }
            };
            try {
              const result = call();
              assertEquals(looks >= look, true, `the core looked ${looks} times`);
              return result;
            } finally {
              ops.lookup = lookup;
            }
          },
        });
        FS.unmount(folder);
        assertSound(other, "at the end");
        assertEquals(other.stats().opens, 0);
      });
    }
  });
}

const TEXT = new TextEncoder().encode("mine");

race("FS.open with O_CREAT opens what another agent creates meanwhile", ({ FS, folder, other, during }) => {
  const stream = during(
    "file",
    1,
    () => other.writeFileSync("/file", "theirs, longer", { mode: 0o604 }),
    () => FS.open(`${folder}/file`, FLAGS.RDWR | FLAGS.CREAT, 0o666),
  );
  FS.write(stream, TEXT, 0, 4, 0);
  FS.close(stream);
  assertEquals(other.readFileSync("/file", "utf8"), "miners, longer");
  assertEquals(other.statSync("/file").mode & 0o777, 0o604 & ~0o022);
});

race("FS.open with O_EXCL fails where another agent creates the file meanwhile", ({ FS, folder, other, during }) => {
  const open = () => FS.open(`${folder}/file`, FLAGS.WRONLY | FLAGS.CREAT | FLAGS.EXCL, 0o666);
  assertEquals(errnoOf(() => during("file", 1, () => other.writeFileSync("/file", "theirs"), open)), ERRNO.EEXIST);
  assertEquals(other.readFileSync("/file", "utf8"), "theirs");
  other.unlinkSync("/file");
  FS.close(open());
});

race("FS.open with O_TRUNC empties what it opens, not what was there before", ({ FS, folder, other, during }) => {
  other.writeFileSync("/file", "old");
  other.linkSync("/file", "/kept");
  other.writeFileSync("/new", "new");
  const stream = during(
    "file",
    1,
    () => other.renameSync("/new", "/file"),
    () => FS.open(`${folder}/file`, FLAGS.WRONLY | FLAGS.TRUNC),
  );
  FS.close(stream);
  assertEquals(other.readFileSync("/kept", "utf8"), "old");
  assertEquals(other.readFileSync("/file", "utf8"), "");
});

race("FS.open finds a file that another agent removes meanwhile gone, and with O_CREAT makes it anew", (
  { FS, folder, other, during },
) => {
  const open = (flags: number) => () => FS.open(`${folder}/file`, flags, 0o640);
  other.writeFileSync("/file", "old");
  const remove = () => other.unlinkSync("/file");
  assertEquals(errnoOf(() => during("file", 1, remove, open(FLAGS.RDWR))), ERRNO.ENOENT);
  other.writeFileSync("/file", "old");
  const stream = during("file", 1, remove, open(FLAGS.RDWR | FLAGS.CREAT));
  FS.close(stream);
  assertEquals(other.readFileSync("/file", "utf8"), "");
  assertEquals(other.statSync("/file").mode & 0o777, 0o640);
  assertEquals(FS.streams.filter((open) => open?.path?.startsWith(folder)).length, 0);
});

race("FS.open follows a link that another agent puts there meanwhile, in the program's tree", (
  { FS, folder, other, during },
) => {
  other.writeFileSync("/target", "theirs");
  FS.writeFile(`${folder}-outside`, "the program's");
  other.writeFileSync("/file", "old");
  const stream = during("file", 1, () => {
    other.unlinkSync("/file");
    other.symlinkSync(`${folder}-outside`, "/file");
  }, () => FS.open(`${folder}/file`, FLAGS.RDONLY));
  const to = new Uint8Array(13);
  FS.read(stream, to, 0, 13, 0);
  assertEquals(new TextDecoder().decode(to), "the program's");
  FS.close(stream);
});

race("FS.open opens the directory, or nothing, where a file becomes one meanwhile", (
  { FS, folder, other, during },
) => {
  other.writeFileSync("/file", "old");
  const swap = () => {
    other.unlinkSync("/file");
    other.mkdirSync("/file");
  };
  FS.close(during("file", 1, swap, () => FS.open(`${folder}/file`, FLAGS.RDONLY)));
  other.rmdirSync("/file");
  other.writeFileSync("/file", "old");
  assertEquals(errnoOf(() => during("file", 1, swap, () => FS.open(`${folder}/file`, FLAGS.RDWR))), ERRNO.EISDIR);
});

race("FS.rename replaces what another agent creates under the new name meanwhile", (
  { FS, folder, other, during },
) => {
  other.writeFileSync("/from", "mine");
  const rename = () => FS.rename(`${folder}/from`, `${folder}/to`);
  during("to", 1, () => other.writeFileSync("/to", "theirs"), rename);
  assertEquals(other.readFileSync("/to", "utf8"), "mine");
  assertEquals(other.existsSync("/from"), false);
});

race("FS.rename does not mind that another agent removes what it replaces meanwhile", (
  { FS, folder, other, during },
) => {
  other.writeFileSync("/from", "mine");
  other.writeFileSync("/to", "theirs");
  during("to", 1, () => other.unlinkSync("/to"), () => FS.rename(`${folder}/from`, `${folder}/to`));
  assertEquals(other.readFileSync("/to", "utf8"), "mine");
});

race("FS.stat, FS.chmod, FS.truncate and FS.readlink go by the name: a replaced file is not missing", (
  { FS, folder, other, during },
) => {
  let round = 0;
  const replace = () => {
    other.writeFileSync("/new", "x".repeat(++round));
    other.renameSync("/new", "/file");
  };
  replace();
  assertEquals(during("file", 1, replace, () => FS.stat(`${folder}/file`)).size, 2);
  during("file", 1, replace, () => FS.chmod(`${folder}/file`, 0o604));
  assertEquals(other.statSync("/file").mode & 0o777, 0o604);
  during("file", 1, replace, () => FS.truncate(`${folder}/file`, 9));
  assertEquals(other.statSync("/file").size, 9);
  other.symlinkSync("one", "/link");
  const relink = () => {
    other.symlinkSync("two", "/new");
    other.renameSync("/new", "/link");
  };
  assertEquals(during("link", 1, relink, () => FS.readlink(`${folder}/link`)).endsWith("two"), true);
});

race("FS.readFile returns one file as it was at one moment", ({ FS, folder, other, during }) => {
  other.writeFileSync("/file", "short");
  const bytes = during("file", 2, () => {
    other.writeFileSync("/new", "very much longer");
    other.renameSync("/new", "/file");
  }, () => FS.readFile(`${folder}/file`));
  assertEquals(["short", "very much longer"].includes(new TextDecoder().decode(bytes)), true);
});
