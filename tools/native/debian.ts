/**
 * Installs Debian's Emscripten into a folder of its own, and says how to run it there. The folder is the root of a small
 * Debian system (debootstrap); a tool runs in it by chroot, with the folders of this machine mounted at their own paths
 * in a private mount namespace, so that paths mean the same inside and outside and nothing stays mounted.
 *
 *     <folder>/root      the system
 *     <folder>/complete  its version; written last, so that an installation cut short is done anew
 *     <folder>/cache     system libraries that the compiler builds at their first use
 *     <folder>/lock      held while a process installs
 *
 * @module
 */
import type { Toolchain } from "./toolchain.ts";
import { MINIMUM_MAJOR, parseVersion } from "./version.ts";

/** The Debian suite whose Emscripten is used. */
const SUITE = "forky";
/** What the installation takes, for the reader of the progress line. */
const SIZE = "1.2 GB";
/** The script that debootstrap uses for suites younger than itself. */
const SCRIPT = "/usr/share/debootstrap/scripts/sid";
/** Names a mirror to use instead of those of the machine's apt sources. */
export const MIRROR_VARIABLE = "EXTMEMFS_DEBIAN_MIRROR";

/** What is known of the machine before anything is installed. */
export interface Machine {
  readonly os: string;
  /** Numeric user id, or `null` where there is none. */
  readonly uid: number | null;
  /** Whether debootstrap can be run. */
  readonly debootstrap: boolean;
  /** Whether apt-get can be run. */
  readonly apt: boolean;
  /** Debian mirrors to try. */
  readonly mirrors: readonly string[];
  /** Whether a mount namespace can be had, and its error message where not. */
  readonly namespace: true | string;
}

/**
 * Why Emscripten cannot be installed on a machine.
 *
 * @param machine What is known of it.
 * @param reason Why it is to be installed.
 * @returns What was asked, what was found, and what to do; `undefined` where all is well.
 */
export function refusal(machine: Machine, reason: string): string | undefined {
  const found = obstacle(machine);
  return found === undefined ? undefined : explain(reason, found);
}

function obstacle(machine: Machine): string | undefined {
  if (machine.os !== "linux") return `this is ${machine.os}, and debootstrap needs Linux`;
  if (machine.uid !== 0) return `debootstrap and chroot need root, and this process runs as user ${machine.uid}`;
  if (machine.namespace !== true) return `this process may not mount folders (unshare -m: ${machine.namespace})`;
  if (!machine.debootstrap && !machine.apt) return "there is neither debootstrap nor apt-get to install it";
  if (machine.mirrors.length === 0) {
    return `the apt sources name no Debian mirror (${MIRROR_VARIABLE} may name one)`;
  }
  return undefined;
}

function explain(reason: string, found: string): string {
  return `Emscripten ${MINIMUM_MAJOR} or newer is needed, and ${reason}. Installing that of Debian ${SUITE} is not ` +
    `possible: ${found}. Install Emscripten by emsdk, and put its emcc on PATH`;
}

/**
 * Installs Debian's Emscripten where that has not been done yet.
 *
 * @param folder Where to; made when missing.
 * @param reason Why a compiler is to be installed, for the messages.
 * @returns The compiler.
 * @throws {Error} Where it cannot be installed or run.
 */
export async function provisionDebian(folder: string, reason: string): Promise<Toolchain> {
  const complete = `${folder}/complete`;
  let version = await readText(complete);
  if (version === undefined) {
    await refuseWhereImpossible(reason);
    await Deno.mkdir(folder, { recursive: true });
    using lock = await Deno.open(`${folder}/lock`, { create: true, write: true });
    if (!await lock.tryLock(true)) {
      console.error(`emscripten: waiting for another process that installs into ${folder}`);
      await lock.lock(true);
    }
    version = await readText(complete) ?? await install(folder, reason);
  } else if (Deno.build.os !== "linux" || Deno.uid() !== 0) {
    await refuseWhereImpossible(reason);
  }
  const root = `${folder}/root`;
  await Deno.mkdir(`${folder}/cache`, { recursive: true });
  return {
    version,
    root: `${root}/usr/share/emscripten`,
    command: (name, cwd) => ["unshare", "-m", "sh", "-c", ENTER, root, `${folder}/cache`, cwd, name],
  };
}

/**
 * Enters the root `$0` with the compiler's cache `$1` and the working directory `$2`, and runs the rest there. The
 * folders at the machine's top are mounted at their own places, but those that make the system; the working directory
 * and the cache are mounted by themselves where they lie in one of these.
 */
const ENTER = `set -e
root=$0 cache=$1 cwd=$2
shift 2
mount_at() { mkdir -p "$root$1"; mount --rbind "$1" "$root$1"; }
for folder in /*/; do
  folder=\${folder%/}
  case $folder in
    /bin|/boot|/etc|/lib*|/lost+found|/run|/sbin|/usr|/var) ;;
    *) if [ -L "$folder" ]; then ln -sfn "$(readlink "$folder")" "$root$folder"; else mount_at "$folder"; fi ;;
  esac
done
for folder in "$cache" "$cwd" "\${TMPDIR:-/tmp}"; do
  case $folder in
    /bin/*|/boot/*|/etc/*|/lib*|/run/*|/sbin/*|/usr/*|/var/*) mount_at "$folder" ;;
  esac
done
export EM_CACHE="$cache" PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C.UTF-8
exec chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$cwd" "$@"`;

/** Throws where the machine cannot install or run Debian's Emscripten. */
async function refuseWhereImpossible(reason: string): Promise<void> {
  const linux = Deno.build.os === "linux";
  const mirror = Deno.env.get(MIRROR_VARIABLE);
  const apt = linux && await canRun("apt-get", ["--version"]);
  const message = refusal({
    os: Deno.build.os,
    uid: Deno.uid(),
    debootstrap: linux && await canRun("debootstrap", ["--version"]),
    apt,
    mirrors: mirror ? [mirror] : apt ? await aptMirrors() : [],
    namespace: linux ? await tryNamespace() : true,
  }, reason);
  if (message !== undefined) throw new Error(message);
}

/** Installs, with the lock held, and returns the version. */
async function install(folder: string, reason: string): Promise<string> {
  const root = `${folder}/root`;
  console.error(
    `emscripten: ${reason}; installing that of Debian ${SUITE} into ${root} (${SIZE}, once, a minute or two)`,
  );
  if (!await canRun("debootstrap", ["--version"])) await installDebootstrap(reason);
  const mirror = Deno.env.get(MIRROR_VARIABLE);
  const failures: string[] = [];
  for (const candidate of mirror ? [mirror] : await aptMirrors()) {
    await removeTree(root);
    const failure = await debootstrap(root, candidate);
    if (failure === undefined) {
      const version = parseVersion(await readText(`${root}/usr/share/emscripten/emscripten-version.txt`) ?? "");
      if (version === undefined || version.major < MINIMUM_MAJOR) {
        throw new Error(explain(reason, `Debian ${SUITE} has ${version?.text ?? "no version that can be read"}`));
      }
      // The packages as downloaded are of no more use.
      await removeTree(`${root}/var/cache/apt/archives`);
      await Deno.writeTextFile(`${folder}/complete.part`, version.text);
      await Deno.rename(`${folder}/complete.part`, `${folder}/complete`);
      console.error(`emscripten: ${version.text} is installed`);
      return version.text;
    }
    failures.push(failure);
  }
  throw new Error(explain(reason, `debootstrap failed: ${failures.join("; ")}`));
}

async function installDebootstrap(reason: string): Promise<void> {
  console.error("emscripten: installing debootstrap by apt-get");
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["-q", "update"], env);
  const { success, stderr } = await run(
    "apt-get",
    ["-q", "-y", "--no-install-recommends", "install", "debootstrap"],
    env,
  );
  if (!success) throw new Error(explain(reason, `"apt-get install debootstrap" failed: ${stderr.trim()}`));
}

/** Runs debootstrap with a progress line; returns why it failed, if so. */
async function debootstrap(root: string, mirror: string): Promise<string | undefined> {
  // In a mount namespace of its own, what it mounts in the root is gone with it, however it ends. In a process namespace
  // that ends with this process, nothing goes on writing when the lock is no longer held.
  const child = new Deno.Command("setpriv", {
    args: [
      ...["--pdeathsig", "KILL", "unshare", "-m", "-p", "--fork", "--kill-child"],
      ...["debootstrap", "--variant=minbase", "--include=emscripten", SUITE, root, mirror, SCRIPT],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const complaints: string[] = [];
  const counts = new Map<string, number>();
  let shown = 0;
  const follow = async (stream: ReadableStream<Uint8Array>) => {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (/^[EW]: /.test(line)) complaints.push(line.slice(3));
        const step = /^I: (Retrieving|Validating|Extracting|Unpacking|Configuring)/.exec(line)?.[1];
        if (step === undefined) continue;
        counts.set(step, (counts.get(step) ?? 0) + 1);
        if (performance.now() - shown < 500) continue;
        shown = performance.now();
        showProgress(`emscripten: ${step.toLowerCase()} packages, ${counts.get(step)} so far`);
      }
    }
  };
  await Promise.all([follow(child.stdout), follow(child.stderr)]);
  const { success, code } = await child.status;
  showProgress("");
  return success ? undefined : complaints.at(-1) ?? `exit code ${code}`;
}

/** Rewrites the progress line of a terminal; says nothing elsewhere. */
function showProgress(line: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}`));
}

/**
 * The archives with a `main` component in the machine's apt sources.
 *
 * @returns Their addresses, those of a release itself before those of its updates.
 */
export async function aptMirrors(): Promise<string[]> {
  const { success, stdout } = await run("apt-get", ["indextargets", "--format", "$(COMPONENT) $(SUITE) $(REPO_URI)"]);
  const mirrors = success ? stdout.split("\n").filter((line) => line.startsWith("main ")) : [];
  return [
    ...new Set(
      mirrors.map((line) => line.split(" ")).sort((a, b) => a[1].length - b[1].length)
        .map(([, , uri]) => uri).filter((uri) => uri !== undefined && !uri.includes("security")),
    ),
  ];
}

async function tryNamespace(): Promise<true | string> {
  try {
    const { success, stderr } = await run("unshare", ["-m", "true"]);
    return success ? true : stderr.trim();
  } catch (error) {
    return (error as Error).message;
  }
}

async function canRun(program: string, args: readonly string[]): Promise<boolean> {
  try {
    return (await run(program, args)).success;
  } catch {
    return false;
  }
}

async function run(program: string, args: readonly string[], env: Record<string, string> = {}) {
  const output = await new Deno.Command(program, { args: [...args], env, stdin: "null" }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success: output.success, stdout: decode(output.stdout), stderr: decode(output.stderr) };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
