import { VERSION } from "../../src/cli/version.ts";
import { formatBytes, formatMs } from "../../src/cli/format.ts";
import { parseCount, parseDuration, parseSize } from "../../src/cli/options.ts";
import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { namesIn, ROOT, run, runJson, smallModule, withFolder } from "./support.ts";

Deno.test("arguments that make no sense exit with 2: text on standard error, or one JSON document", () =>
  withFolder(async (folder) => {
    const wasm = `${folder}/in.wasm`;
    const text = `${folder}/text`;
    Deno.writeFileSync(wasm, smallModule());
    Deno.writeTextFileSync(text, "text");
    const cases: [args: string[], said: string][] = [
      [["frobnicate"], "unknown command 'frobnicate'"],
      [["artifact", "frobnicate"], "unknown command 'frobnicate'"],
      [["artifact", "hash", "--frobnicate"], "unknown option '--frobnicate'"],
      [["artifact", "hash", "surplus"], "too many arguments"],
      [["artifact", "hash", "--format", "octal"], "Allowed choices are hex, base64url"],
      [["artifact", "hash", "--config", `${folder}/missing.json`], "missing.json: no such file"],
      [["artifact", "hash", "--config", folder], "it is a directory"],
      [["artifact", "compile", wasm], "missing required argument 'out'"],
      [["artifact", "compile", `${folder}/missing.wasm`, `${folder}/out`], "missing.wasm: no such file"],
      [["artifact", "compile", folder, `${folder}/out`], "it is a directory"],
      [["artifact", "compile", wasm, folder], "Cannot write"],
      [["artifact", "compile", wasm, `${folder}/missing/out`], "no such file or directory"],
      [["artifact", "compile", wasm, `${text}/out`], "no directory"],
      [["artifact", "compile", wasm, `${folder}/out`, "--key-file", `${folder}/missing.key`], "missing.key"],
      [["artifact", "inspect"], "missing required argument 'file'"],
      [["artifact", "inspect", `${folder}/missing`], "no such file"],
      [["artifact", "detect", `${folder}/missing`], "no such file"],
      [["artifact", "verify", `${folder}/missing`], "no such file"],
      [["artifact", "verify"], "either a file or --store"],
      [["artifact", "verify", wasm, "--store", folder], "either a file or --store"],
      [["artifact", "verify", "--store", folder, "--config", text], "--config goes with a file only"],
      [["artifact", "ls"], "required option '--store <url>' not specified"],
      [["artifact", "ls", "--store", `${folder}/missing`], "no such file"],
      [["artifact", "ls", "--store", text], "no directory"],
      [["artifact", "ls", "--store", `file://${folder}/missing`], "no such file"],
      [["artifact", "ls", "--store", "ftp://host/"], "There is no store 'ftp:'"],
      [["artifact", "prune", "--store", folder], "Say what is to go"],
      [["artifact", "prune", "--store", folder, "--dry-run"], "Say what is to go"],
      [["artifact", "prune", "--store", folder, "--entries", "-1"], "A count is"],
      [["artifact", "prune", "--store", folder, "--bytes", "64M"], "A size is"],
      [["artifact", "prune", "--store", folder, "--unused-for", "soon"], "A duration is"],
      [["artifact", "prune", "--unused-for", "30d", "--store"], "argument missing"],
    ];
    for (const [args, said] of cases) {
      const plain = await run(args);
      assertEquals([plain.code, plain.out], [2, ""], args.join(" "));
      assertStringIncludes(plain.err, said);
      assertEquals(plain.err.includes("    at "), false, "no stack trace");
      const { code, err, document } = await runJson(args);
      assertEquals([code, err], [2, ""], args.join(" "));
      // An option that lacks its value takes --json for it, and is wrong about that.
      assertStringIncludes(document.error.message, said === "argument missing" ? "--json" : said);
      assertMatch(document.error.code, /^(ERR_USAGE|E[A-Z]+)$/);
    }
    assertEquals(namesIn(folder), ["in.wasm", "text"]);
  }));

Deno.test("a command that is missing exits with 2 and lists what there is", async () => {
  for (const args of [[], ["artifact"]]) {
    const { code, out, err } = await run(args);
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, "Commands:");
    const json = await run([...args, "--json"]);
    assertEquals(json.code, 2);
    assertEquals(typeof JSON.parse(json.out).error.message, "string");
  }
});

Deno.test("--help and --version print to standard output and exit with 0", async () => {
  const commands = ["hash", "compile", "inspect", "detect", "verify", "ls", "prune"];
  const { code, out, err } = await run(["artifact", "--help"]);
  assertEquals([code, err], [0, ""]);
  for (const command of commands) {
    assertMatch(out, new RegExp(`^  ${command} `, "m"));
    const help = await run(["artifact", command, "--help"]);
    assertEquals([help.code, help.err], [0, ""]);
    assertStringIncludes(help.out, `Usage: extmemfs artifact ${command}`);
    assertStringIncludes(help.out, "--json");
  }
  assertStringIncludes((await run(["--help"])).out, "Exit codes:");
  assertEquals((await run(["--version"])).out, `${VERSION}\n`);
  assertEquals((await runJson(["--version"])).document, { version: VERSION });
});

Deno.test("VERSION is the version of deno.json", () => {
  assertEquals(VERSION, JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))).version);
});

Deno.test("sizes, durations and counts are read with their units, and nothing else is", () => {
  const sizes = { "0": 0, "4096": 4096, "1B": 1, "500MB": 5e8, "64MiB": 64 << 20, "1.5 kB": 1500, "2gib": 2 ** 31 };
  for (const [text, bytes] of Object.entries(sizes)) assertEquals(parseSize(text), bytes, text);
  for (const text of ["", "MB", "64M", "-1", "1e3", "0x10", "1,5MB", "9999999TiB", "1 MB x"]) {
    assertThrows(() => parseSize(text), Error, "A size is", text);
  }
  const durations = { "0s": 0, "250ms": 250, "30d": 30 * 864e5, "12h": 12 * 36e5, "1h30m": 54e5, "0.5w": 3.5 * 864e5 };
  for (const [text, ms] of Object.entries(durations)) assertEquals(parseDuration(text), ms, text);
  for (const text of ["", "30", "d", "-1d", "1y", "1d ", "1h 30m", "1.d"]) {
    assertThrows(() => parseDuration(text), Error, "A duration is", text);
  }
  assertEquals(parseCount("007"), 7);
  for (const text of ["", "-1", "1.5", "ten", "1e3", "99999999999999999"]) {
    assertThrows(() => parseCount(text), Error, "A count is", text);
  }
});

Deno.test("formatBytes() and formatMs() choose the unit that reads best, at its borders too", () => {
  const sizes: [bytes: number, text: string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [999_499, "999 kB"],
    [999_500, "1.00 MB"],
    [4.56e12, "4.56 TB"],
  ];
  for (const [bytes, text] of sizes) assertEquals(formatBytes(bytes), text);
  const times: [ms: number, text: string][] = [
    [0.4, "0 ms"],
    [999.4, "999 ms"],
    [1000, "1.00 s"],
    [60_000, "1 min 0 s"],
    [125_400, "2 min 5 s"],
  ];
  for (const [ms, text] of times) assertEquals(formatMs(ms), text);
});
