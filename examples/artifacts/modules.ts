/**
 * Three large modules that people use, and for each how to run it with a compiled module of one's own: SQLite (C), Python
 * (C, with dynamic linking), esbuild (Go). Imports each program only when it is run.
 *
 * @module
 */

/** A program whose module may be replaced by what was made of it. */
export interface Program {
  /** Where its WebAssembly module lies. */
  readonly wasm: URL;
  /** Runs it with a module and tells what came out: the same text whenever the module does what the original does. */
  run(module: WebAssembly.Module): Promise<string>;
}

/** The names of the programs. */
export type ProgramName = "sql.js" | "pyodide" | "esbuild";

/** The programs. Each may be run once in a thread: esbuild and Python keep their state there. */
export const PROGRAMS: Readonly<Record<ProgramName, Program>> = {
  "sql.js": { wasm: resolve("sql.js/dist/sql-wasm.wasm"), run: query },
  "pyodide": { wasm: resolve("pyodide/pyodide.asm.wasm"), run: compute },
  "esbuild": { wasm: resolve("esbuild-wasm/esbuild.wasm"), run: transform },
};

function resolve(specifier: string): URL {
  return new URL(import.meta.resolve(specifier));
}

/** Emscripten's hook for who has a compiled module: it is called back with an instance. */
type InstantiateWasm = (
  imports: WebAssembly.Imports,
  done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
) => object;

function instantiateWith(module: WebAssembly.Module): InstantiateWasm {
  return (imports, done) => {
    void WebAssembly.instantiate(module, imports).then((instance) => done(instance, module));
    return {};
  };
}

const ROWS = 20_000;

/** A query over rows that SQLite generates itself: sorting, grouping, text, floating point. */
const SQL = `
  CREATE TABLE sample(id INTEGER PRIMARY KEY, bucket INTEGER, name TEXT, value REAL);
  WITH RECURSIVE counter(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < ${ROWS})
    INSERT INTO sample SELECT n, (n * 7919) % 97, printf('%05x', n * 31337 % 99991), n * 0.37 / (n % 13 + 1) FROM counter;
  CREATE INDEX by_name ON sample(name);
  SELECT bucket, count(*), round(sum(value), 6), min(name), max(name), group_concat(DISTINCT substr(name, 1, 1))
    FROM sample GROUP BY bucket ORDER BY sum(value) DESC, bucket LIMIT 20;`;

async function query(module: WebAssembly.Module): Promise<string> {
  const { default: initSqlJs } = await import("sql.js");
  const sql = await initSqlJs({ instantiateWasm: instantiateWith(module) });
  const database = new sql.Database();
  try {
    return JSON.stringify(database.exec(SQL));
  } finally {
    database.close();
  }
}

/** Integers of any size, JSON, hashing, regular expressions, a sort with a key, an exception. */
const PYTHON = `
import hashlib, json, math, re

def primes(limit):
    sieve = bytearray([1]) * limit
    for i in range(2, math.isqrt(limit) + 1):
        if sieve[i]:
            sieve[i * i::i] = bytes(len(range(i * i, limit, i)))
    return [i for i in range(2, limit) if sieve[i]]

found = primes(50_000)
try:
    1 // 0
except ZeroDivisionError as error:
    caught = str(error)
json.dumps({
    "primes": [len(found), found[-1]],
    "factorial": hashlib.sha256(str(math.factorial(500)).encode()).hexdigest(),
    "sines": sum(math.sin(i) for i in range(10_000)),
    "words": sorted(re.findall(r"[a-z]+", "the quick brown fox jumps over the lazy dog"), key=lambda w: (len(w), w)),
    "caught": caught,
})
`;

async function compute(module: WebAssembly.Module): Promise<string> {
  const { loadPyodide } = await import("pyodide");
  const { default: create } = await import("pyodide/pyodide.asm.mjs");
  const python = await loadPyodide({
    // Pyodide has no option for a compiled module, but one for who creates it.
    createPyodideModule: (settings) => {
      const instantiateWasm: InstantiateWasm = ({ env, ...imports }, done) =>
        instantiateWith(module)({ ...imports, env: { ...env, ...errorMarker() } }, done);
      return create(Object.assign(settings, { instantiateWasm }));
    },
  });
  return python.runPython(PYTHON);
}

/** The two functions by which Python knows a JavaScript error, as Pyodide makes them on hosts without WebAssembly GC. */
function errorMarker(): WebAssembly.ModuleImports {
  const marker = Symbol("error marker");
  return { Jsv_GetError_import: () => marker, JsvError_Check: (value: unknown) => value === marker };
}

/** The TypeScript that esbuild translates. */
const SOURCE = new URL("./run_task.ts", import.meta.url);

async function transform(module: WebAssembly.Module): Promise<string> {
  const { default: esbuild } = await import("esbuild-wasm/lib/browser.js");
  // esbuild would start a worker of its own; this is one already.
  await esbuild.initialize({ wasmModule: module, worker: false });
  const source = await (await fetch(SOURCE)).text();
  const { code, warnings } = await esbuild.transform(source, { loader: "ts", minify: true, target: "es2018" });
  return `${code}${JSON.stringify(warnings)}`;
}
