/**
 * Builds the JavaScript libraries that programs are linked with (`--js-library`) into `native/dist`: the runtime, with the
 * bundled filesystem in it, and behind it what each integration adds.
 *
 *     deno run -A tools/native/build_libraries.ts
 *
 * @module
 */
import { build } from "esbuild";

const ROOT = new URL("../../", import.meta.url);
const PLACE = "/*EXTMEMFS_BUNDLE*/";

/** The libraries, and the files that they are made of. */
const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  "library_extmemfs.js": [
    "native/runtime/library.js",
    "native/syscalls/library.js",
    "native/primitives/library.js",
    "native/bridge/library.js",
  ],
  "library_extmemfs_wasmfs.js": [
    "native/runtime/library.js",
    "native/primitives/library.js",
    "native/wasmfs/library.js",
    "native/bridge/library.js",
  ],
};

async function bundle(): Promise<string> {
  const result = await build({
    entryPoints: [new URL("native/runtime/main.ts", ROOT).pathname],
    bundle: true,
    minify: true,
    format: "iife",
    globalName: "library",
    target: "es2022",
    external: ["node:*"],
    write: false,
    logLevel: "silent",
  });
  const text = result.outputFiles[0]!.text.trim();
  // Emscripten expands macros and directives in libraries: the bundle must hold nothing that looks like one.
  if (/\{\{\{/.test(text) || /^\s*#/m.test(text)) throw new Error("the bundle has what Emscripten takes for a macro");
  return `"use strict";${text}return library;`;
}

/** Builds the libraries; returns their paths by name. */
export async function buildLibraries(): Promise<Record<string, string>> {
  const code = await bundle();
  const folder = new URL("native/dist/", ROOT);
  await Deno.mkdir(folder, { recursive: true });
  const paths: Record<string, string> = {};
  for (const [name, parts] of Object.entries(LIBRARIES)) {
    const texts = await Promise.all(parts.map((part) => Deno.readTextFile(new URL(part, ROOT))));
    const text = texts.join("\n").split(PLACE).join(code);
    const path = new URL(name, folder);
    const old = await Deno.readTextFile(path).catch(() => "");
    if (old !== text) await Deno.writeTextFile(path, text);
    paths[name] = path.pathname;
  }
  return paths;
}

if (import.meta.main) {
  for (const path of Object.values(await buildLibraries())) {
    const { size } = await Deno.stat(path);
    console.log(`${path.slice(ROOT.pathname.length)}: ${(size / 1024).toFixed(0)} KiB`);
  }
}
