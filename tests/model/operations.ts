/**
 * Generates operations: few names, so that they meet; nested paths with all that makes paths hard; descriptors by how
 * recently they were opened; flags, positions and lengths in and out of range.
 *
 * @module
 */

import * as fc from "fast-check";
import type { Argument, Operation, PathArgument, PickArgument } from "./language.ts";

/** The longest name a directory takes, and one byte more; both end in a character of two bytes. */
const LONGEST_NAME = "n".repeat(253) + "é";
const TOO_LONG_NAME = "n".repeat(254) + "é";

const name = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom("a", "b", "c") },
  { weight: 3, arbitrary: fc.constantFrom("é", "日本", "🙂") },
  { weight: 2, arbitrary: fc.constantFrom(".", "..", "") },
  { weight: 1, arbitrary: fc.constantFrom(LONGEST_NAME, TOO_LONG_NAME) },
);

const plainPath: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("a", "b", "c") },
  { weight: 12, arbitrary: fc.constantFrom("a/a", "a/b", "b/a", "b/c", "c/a", "b/c/a") },
  { weight: 3, arbitrary: fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/")) },
);

/** Written paths: they may lead anywhere or nowhere. */
const writtenPath: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 40, arbitrary: plainPath.map((at): PathArgument => ({ at })) },
  { weight: 3, arbitrary: plainPath.map((at): PathArgument => ({ at: `${at}/` })) },
  { weight: 2, arbitrary: plainPath.map((at): PathArgument => ({ at, relative: true })) },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.constant<PathArgument>({ at: "" }),
      fc.tuple(plainPath, fc.constantFrom("bytes" as const, "url" as const))
        .map(([at, as]): PathArgument => ({ at, as })),
      // The kernel takes paths of up to 4095 bytes.
      fc.tuple(plainPath, fc.constantFrom(4094, 4095, 4096, 4097, 5000))
        .map(([at, bytes]): PathArgument => ({ at, bytes })),
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom<Argument>("", true, null, { value: "undefined" }, "nul\0byte") },
);

/** Added to a path that is there: leads back to it, beside it, below it, or makes it fail. */
const suffix = fc.constantFrom("/", "/.", "/..", "/a", "/b", "/../a", "//c", "/./b", "/é", "x");

function pick(of: PickArgument["of"]): fc.Arbitrary<Argument> {
  const added = fc.oneof({ weight: 9, arbitrary: fc.constant("") }, { weight: 1, arbitrary: suffix });
  return fc.tuple(fc.nat(30), added).map(([index, text]): PickArgument => ({ pick: index, of, suffix: text }));
}

/** Paths of which most lead to what a call is made for, and some to all else. */
function pathOf(of: PickArgument["of"]): fc.Arbitrary<Argument> {
  return fc.oneof(
    { weight: 12, arbitrary: pick(of) },
    { weight: 3, arbitrary: pick("any") },
    { weight: 2, arbitrary: pick("free") },
    { weight: 4, arbitrary: writtenPath },
  );
}

const path = pathOf("any");
const file = pathOf("file");
const directory = pathOf("directory");
const link = pathOf("link");
const free = pathOf("free");

/** Some levels below what is there. */
const deep = fc.tuple(
  fc.nat(30),
  fc.constantFrom("/a", "/a/b", "/é/a/é"),
  fc.constantFrom("free" as const, "link" as const),
)
  .map(([index, below, of]): PickArgument => ({ pick: index, of, suffix: below }));

/** What a symbolic link contains: any text, or the way to somewhere in the sandbox. */
const linkTarget: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 6, arbitrary: plainPath },
  { weight: 4, arbitrary: plainPath.map((at): PathArgument => ({ at })) },
  { weight: 3, arbitrary: plainPath.map((at) => `../${at}`) },
  { weight: 1, arbitrary: fc.constantFrom<Argument>(".", "..", "", "a/", "./b", "../..", "x".repeat(4095)) },
  { weight: 1, arbitrary: fc.constantFrom<Argument>("x".repeat(4096), { at: "a", bytes: 4095 }) },
);

const fd: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom(0, 0, 0, 1, 1, 2, 3).map((index) => ({ openFd: index })) },
  { weight: 3, arbitrary: fc.nat(3).map((back) => ({ fd: back })) },
  { weight: 1, arbitrary: fc.constantFrom<Argument>(-1, 1.5, 999_999, 2 ** 31, "1", null, { value: "undefined" }) },
);

const textFlags = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom("r", "r+", "w", "w+", "a", "a+", "wx", "wx+", "ax", "ax+") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("rs", "rs+", "sr", "sr+", "xw", "xw+", "as", "as+", "sa", "xa", "xa+", "sa+"),
  },
  { weight: 1, arbitrary: fc.constantFrom<Argument>("rw", "", "R", { value: "undefined" }, null, 1.5) },
);

/** `O_CREAT` with `O_DIRECTORY` is left out: kernels differ in what they make of it. */
const numericFlags: fc.Arbitrary<Argument> = fc.tuple(
  fc.constantFrom("O_RDONLY", "O_WRONLY", "O_RDWR", "O_RDWR"),
  fc.subarray(["O_EXCL", "O_TRUNC", "O_APPEND", "O_NOFOLLOW"]),
  fc.constantFrom("O_CREAT", "O_CREAT", "O_DIRECTORY", undefined, undefined),
).map(([access, others, last]) => ({ flags: [access, ...others, ...(last ? [last] : [])] }));

const openFlags: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 3, arbitrary: textFlags },
  { weight: 2, arbitrary: numericFlags },
);

const mode: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0o600, 0o644, 0o666, 0o755, 0o777, 0o1777, 0o700) },
  { weight: 1, arbitrary: fc.constantFrom<Argument>("755", "0o644", 0o10644, -1, 1.5, { value: "undefined" }, "x") },
);

const length = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0, max: 24 }) },
  { weight: 4, arbitrary: fc.constantFrom(63, 64, 65, 100, 255, 1000, 4095, 4096, 4097) },
  { weight: 1, arbitrary: fc.constantFrom(20_000, 65_536, 70_001) },
);

/** Positions near the start, around pages and granules, and some that leave holes. */
const offset = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 4, arbitrary: fc.constantFrom(63, 64, 4090, 4095, 4096, 4097, 8192, 65_535, 65_536) },
  { weight: 1, arbitrary: fc.constantFrom(200_000, 1_048_577, 3_000_000) },
);

const badNumber = fc.constantFrom<Argument>(
  -1,
  -2,
  1.5,
  2 ** 53,
  { value: "NaN" },
  { value: "Infinity" },
  { value: "5n" },
  { value: "-1n" },
  { value: "undefined" },
  "3",
);

const position: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 10, arbitrary: fc.constant(null) },
  { weight: 12, arbitrary: offset },
  { weight: 2, arbitrary: badNumber },
);

const newSize: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 12, arbitrary: offset },
  { weight: 1, arbitrary: fc.constantFrom<Argument>(-1, 1.5, { value: "undefined" }, null, { value: "NaN" }, "5") },
);

const view = fc.constantFrom(undefined, undefined, undefined, undefined, "inside", "shared", "Uint16Array", "DataView");

const data = fc.tuple(fc.integer({ min: 0, max: 255 }), length, view).map(([seed, bytes, kind]): Argument =>
  kind ? { data: seed, length: bytes, view: kind as "inside" } : { data: seed, length: bytes }
);

const into = fc.tuple(length, view).map(([bytes, kind]): Argument =>
  kind ? { into: bytes, view: kind as "inside" } : { into: bytes }
);

const text = fc.constantFrom<Argument>("", "x", "hello", "äöü", "日本🙂", "y".repeat(300));

const content = fc.oneof({ weight: 4, arbitrary: data }, { weight: 2, arbitrary: text });

/** The range of a buffer: whole, inside, or beyond its ends. */
const range: fc.Arbitrary<Argument[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Argument[]>([]) },
  { weight: 5, arbitrary: fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 20 }), position) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.oneof(length, badNumber),
      fc.oneof(length, badNumber),
      position,
    ),
  },
);

const seconds: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(0, 1, 1_000_000_000, 1_234_567_890.5, 1_234_567_890.123, 4_102_444_800, -5) },
  { weight: 1, arbitrary: fc.constantFrom<Argument>("1000", { value: "NaN" }, { value: "undefined" }, "x", null) },
);

const fileOrFd = fc.oneof({ weight: 5, arbitrary: file }, { weight: 1, arbitrary: fd });

function options(fields: Record<string, fc.Arbitrary<Argument>>): fc.Arbitrary<Argument> {
  return fc.record(fields, { requiredKeys: [] }).map((chosen) => ({ options: chosen as Record<string, Argument> }));
}

const flag = fc.boolean() as fc.Arbitrary<Argument>;

function call(method: string, ...args: (fc.Arbitrary<Argument> | undefined)[]): fc.Arbitrary<Operation> {
  const given = args.filter((argument) => argument !== undefined);
  return fc.tuple(...given).map((chosen) => ({ call: method, args: chosen }));
}

/** A call whose last arguments are a list of their own. */
function spread(
  method: string,
  first: fc.Arbitrary<Argument>[],
  rest: fc.Arbitrary<Argument[]>,
): fc.Arbitrary<Operation> {
  return fc.tuple(fc.tuple(...first), rest).map(([chosen, more]) => ({ call: method, args: [...chosen, ...more] }));
}

const noEntry = options({ throwIfNoEntry: flag });

/** Of a descriptor readFileSync is called without flags: Node checks them in some cases and not in others. */
const WEIGHTED: [number, fc.Arbitrary<Operation>][] = [
  [8, call("writeFileSync", fc.oneof(file, free), content)],
  [3, call("writeFileSync", fileOrFd, content, options({ flag: openFlags, mode, flush: flag }))],
  [3, call("appendFileSync", fileOrFd, content)],
  [1, call("appendFileSync", file, content, options({ flag: textFlags, mode }))],
  [4, call("readFileSync", fileOrFd)],
  [1, call("readFileSync", file, options({ flag: openFlags, encoding: fc.constantFrom("utf8", "hex", null) }))],
  [9, call("openSync", fc.oneof(file, file, path, free), openFlags)],
  [4, call("openSync", fc.oneof(file, file, path, free), openFlags, mode)],
  [1, call("openSync", fc.oneof(file, file, path, free))],
  [6, call("closeSync", fd)],
  [6, spread("readSync", [fd, into], range)],
  [1, call("readSync", fd, into, options({ offset: length, length, position }))],
  [8, spread("writeSync", [fd, data], range)],
  [2, call("writeSync", fd, text, position)],
  [1, call("writeSync", fd, data, options({ offset: length, length, position }))],
  [1, call("readvSync", fd, fc.array(into, { maxLength: 4 }).map((list) => ({ list })), position)],
  [2, call("writevSync", fd, fc.array(data, { maxLength: 4 }).map((list) => ({ list })), position)],
  [3, call("ftruncateSync", fd, newSize)],
  [3, call("truncateSync", file, newSize)],
  [4, call("statSync", path)],
  [1, call("statSync", path, noEntry)],
  [4, call("lstatSync", path)],
  [1, call("lstatSync", path, noEntry)],
  [4, call("fstatSync", fd)],
  [2, call("existsSync", path)],
  [1, call("accessSync", path)],
  [1, call("accessSync", path, fc.subarray(["F_OK", "R_OK", "W_OK", "X_OK"]).map((flags) => ({ flags })))],
  [9, call("mkdirSync", free)],
  [2, call("mkdirSync", free, mode)],
  [6, call("mkdirSync", path, options({ recursive: flag, mode }))],
  [2, call("mkdirSync", deep, options({ recursive: fc.constant(true), mode }))],
  [5, call("rmdirSync", directory)],
  [6, call("rmSync", path, options({ recursive: flag, force: flag }))],
  [1, call("rmSync", path)],
  [3, call("readdirSync", directory)],
  [2, call("readdirSync", directory, options({ withFileTypes: flag, recursive: flag }))],
  [11, call("renameSync", path, fc.oneof(path, free))],
  [6, call("unlinkSync", file)],
  [6, call("linkSync", file, free)],
  [7, call("symlinkSync", linkTarget, free)],
  [3, call("readlinkSync", link)],
  [3, call("realpathSync", path)],
  [3, call("chmodSync", path, mode)],
  [2, call("chownSync", path, fc.constantFrom(0, 1, 1000, -1), fc.constantFrom(0, 1, 1000, -1))],
  [3, call("utimesSync", path, seconds, seconds)],
  [4, call("copyFileSync", file, fc.oneof(file, free))],
  [
    1,
    call(
      "copyFileSync",
      file,
      fc.oneof(file, free),
      fc.constantFrom<Argument>({ flags: ["COPYFILE_EXCL"] }, 0, -1, 8, 1.5),
    ),
  ],
  [1, call("mkdtempSync", path)],
  [1, call("fsyncSync", fd)],
];

/** Any operation. */
export const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  ...WEIGHTED.map(([weight, arbitrary]) => ({ weight, arbitrary })),
);

function make(method: string, ...args: Argument[]): Operation {
  return { call: method, args };
}

/** Sequences start with some of these, so that there is something to work on. */
const BEGINNINGS: Operation[] = [
  make("mkdirSync", { at: "a" }),
  make("mkdirSync", { at: "b" }),
  make("mkdirSync", { at: "b/c" }),
  make("writeFileSync", { at: "a/a" }, { data: 1, length: 20 }),
  make("writeFileSync", { at: "b/a" }, { data: 2, length: 5000 }),
  make("symlinkSync", "a", { at: "c" }),
  make("linkSync", { at: "a/a" }, { at: "a/b" }),
  make("openSync", { at: "b/a" }, "r+"),
  make("openSync", { at: "a/a" }, "a+"),
];

/** Sequences of up to `maxLength` operations and a beginning. */
export function sequences(maxLength: number): fc.Arbitrary<Operation[]> {
  return fc.tuple(
    fc.subarray(BEGINNINGS),
    fc.array(anyOperation, { minLength: 1, maxLength, size: "max" }),
  ).map(([beginning, operations]) => [...beginning, ...operations]);
}
