/**
 * The names of processors and operating systems: hosts have different ones for the same, targets have one. Imports
 * nothing.
 *
 * @module
 */

/** What is said where a host does not tell. */
export const UNKNOWN = "unknown";

/** Processors as Node, Deno, `uname -m` and browsers call them, and what LLVM's triples call them. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "x86_64",
  amd64: "x86_64",
  ia32: "i686",
  x86: "i686",
  i386: "i686",
  i486: "i686",
  i586: "i686",
  arm64: "aarch64",
  ppc64le: "powerpc64le",
  ppc64el: "powerpc64le",
  ppc: "powerpc",
  loong64: "loongarch64",
};

/** Operating systems as Node, Deno and browsers call them, and what targets call them. */
const OPERATING_SYSTEMS: Readonly<Record<string, string>> = {
  win32: "windows",
  cygwin: "windows",
  macos: "darwin",
  sunos: "solaris",
  "chrome os": "chromeos",
  "chromium os": "chromeos",
};

/** Little-endian hosts store the low byte first. */
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * The name of a processor in LLVM's triples.
 *
 * @param name What the host calls its processor. A name that stands in no table is taken as it is, in lower case.
 * @returns `unknown` where the host says nothing, or says it in no word.
 */
export function architectureName(name: unknown): string {
  const plain = plainName(name);
  // Node has one name for both byte orders, of which LLVM has two.
  if (plain === "ppc64") return LITTLE_ENDIAN ? "powerpc64le" : "powerpc64";
  if (/^armv\d/.test(plain)) return "arm";
  return tableName(ARCHITECTURES, plain);
}

/**
 * The name of an operating system.
 *
 * @param name What the host calls it. A name that stands in no table is taken as it is, in lower case.
 * @returns `unknown` where the host says nothing, or says it in no word.
 */
export function operatingSystemName(name: unknown): string {
  return tableName(OPERATING_SYSTEMS, plainName(name));
}

function plainName(name: unknown): string {
  return typeof name === "string" ? name.trim().toLowerCase() : "";
}

function tableName(table: Readonly<Record<string, string>>, name: string): string {
  if (Object.hasOwn(table, name)) return table[name];
  return /^[a-z0-9_]+$/.test(name) ? name : UNKNOWN;
}
