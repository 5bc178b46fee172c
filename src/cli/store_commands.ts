/**
 * The commands for stores: `artifact ls`, `prune`, and the part of `verify` that goes over a store.
 *
 * Listing and removing by age and size load nothing, and so ask for no key; what is whole only a store with the key tells.
 *
 * @module
 */
import type { Command } from "commander";
import type { ArtifactBackend, ArtifactHeader, BackendEntry } from "../../artifact.ts";
import { decodeContainer } from "../artifact/container.ts";
import { ArtifactKeyError } from "../artifact/errors.ts";
import { chooseVictims } from "../artifact/store/eviction.ts";
import type { CommandContext } from "./context.ts";
import { errorDocument, errorText, EXIT_DONE, EXIT_FAILED, UsageError } from "./errors.ts";
import { formatBytes, formatColumns, formatCount, formatMoment, printable } from "./format.ts";
import { headerDocument, listText, settingsText, targetText, versionText } from "./header.ts";
import { parseCount, parseDuration, parseSize, readKey } from "./options.ts";
import { assertKeyForShared, openNamedBackend, STORE_HELP } from "./stores.ts";

/** Adds the commands. */
export function addStoreCommands(artifact: Command, context: CommandContext): void {
  context.addCommand(artifact, "ls", "list a store, the most recently used first")
    .requiredOption("--store <url>", STORE_HELP)
    .option("--long", "read each entry, and print what it says of itself")
    .action((options: ListOptions) => context.run(() => list(options, context)));

  context.addCommand(artifact, "prune", "remove entries of a store: the least recently used, the unusable")
    .requiredOption("--store <url>", STORE_HELP)
    .option("--entries <count>", "leave at most so many entries", parseCount)
    .option("--bytes <size>", "leave at most so many bytes, such as 500MB or 64MiB", parseSize)
    .option("--unused-for <duration>", "remove what has not been used for so long, such as 30d or 12h", parseDuration)
    .option("--unusable", "remove what is altered, or sealed with another key: reads every entry")
    .option("--key-file <file>", "the key of the store, for --unusable (or that of EXTMEMFS_ARTIFACT_KEY)")
    .option("--dry-run", "only print what would be removed")
    .action((options: PruneOptions) => context.run(() => prune(options, context)));
}

async function withBackend<T>(url: string, work: (backend: ArtifactBackend) => Promise<T>): Promise<T> {
  const backend = await openNamedBackend(url);
  try {
    return await work(backend);
  } finally {
    await backend.close?.();
  }
}

async function readEntries(backend: ArtifactBackend, signal: AbortSignal): Promise<BackendEntry[]> {
  const entries: BackendEntry[] = [];
  for await (const entry of backend.list({ signal })) entries.push(entry);
  return entries.sort((a, b) => b.lastUsedMs - a.lastUsedMs || (a.key < b.key ? -1 : 1));
}

function totalOf(entries: readonly { readonly bytes: number }[]): { entries: number; bytes: number } {
  return { entries: entries.length, bytes: entries.reduce((sum, entry) => sum + entry.bytes, 0) };
}

function totalText(total: { readonly entries: number; readonly bytes: number }): string {
  return `${formatCount(total.entries, "entry", "entries")}, ${formatBytes(total.bytes)}`;
}

interface ListOptions {
  readonly store: string;
  readonly long?: boolean;
}

/** What an entry says of itself, or why it cannot be read. */
interface Described {
  readonly header?: ArtifactHeader;
  readonly problem?: Error;
}

async function list(options: ListOptions, { io, reporter }: CommandContext): Promise<number> {
  return await withBackend(options.store, async (backend) => {
    const entries = await readEntries(backend, io.signal);
    const described = new Map<string, Described>();
    if (options.long) {
      for (const { key } of entries) described.set(key, await describe(backend, key, io.signal));
    }
    const total = totalOf(entries);
    const documents = entries.map(({ key, bytes, lastUsedMs }) => {
      const { header, problem } = described.get(key) ?? {};
      return {
        key,
        bytes,
        lastUsedMs,
        ...(header === undefined ? {} : { header: headerDocument(header) }),
        ...(problem === undefined ? {} : { problem: errorDocument(problem) }),
      };
    });
    await reporter.result({ store: backend.name, entries: documents, total }, async () => {
      const head = ["KEY", "SIZE", "LAST USED", ...(options.long ? LONG_HEAD : [])];
      const rows = entries.map(({ key, bytes, lastUsedMs }) => [
        key,
        formatBytes(bytes),
        formatMoment(lastUsedMs),
        ...(options.long ? longColumns(described.get(key)!) : []),
      ]);
      const { style } = reporter;
      const lines = rows.length === 0 ? [] : [await formatColumns(head, rows, { style, right: [1] })];
      for (const [key, { problem }] of described) {
        if (problem !== undefined) lines.push(`${key}: ${style.bad(printable(errorText(problem)))}`);
      }
      lines.push(style.dim(`${totalText(total)} in ${printable(backend.name)}`));
      return lines.join("\n");
    });
    return EXIT_DONE;
  });
}

const LONG_HEAD: readonly string[] = ["KIND", "TARGET", "VERSION", "COMPILER", "SETTINGS", "FEATURES"];

async function describe(backend: ArtifactBackend, key: string, signal: AbortSignal): Promise<Described> {
  try {
    const value = await backend.read(key, { signal });
    if (value === undefined) return { problem: new Error("it has been removed meanwhile") };
    return { header: decodeContainer(value.bytes).header };
  } catch (error) {
    signal.throwIfAborted();
    return { problem: error as Error };
  }
}

function longColumns({ header }: Described): string[] {
  if (header === undefined) return ["unreadable", "", "", "", "", ""];
  const flags = header.isaFlags.length === 0 ? [] : [`isaFlags=${header.isaFlags.join(",")}`];
  const settings = [header.settings, header.tunables].map(settingsText).filter((text) => text !== "defaults");
  return [
    header.kind,
    targetText(header),
    versionText(header),
    header.compiler,
    [...settings, ...flags].join(" ") || "defaults",
    listText(header.features),
  ];
}

interface PruneOptions {
  readonly store: string;
  readonly entries?: number;
  readonly bytes?: number;
  readonly unusedFor?: number;
  readonly unusable?: boolean;
  readonly keyFile?: string;
  readonly dryRun?: boolean;
}

/** An entry that goes, and why. */
interface Victim {
  readonly key: string;
  readonly bytes: number;
  readonly reason: "unusable" | "unused" | "limit";
}

async function prune(options: PruneOptions, { io, reporter }: CommandContext): Promise<number> {
  const { entries: entryLimit, bytes: byteLimit, unusedFor, unusable = false, dryRun = false } = options;
  if (entryLimit === undefined && byteLimit === undefined && unusedFor === undefined && !unusable) {
    throw new UsageError("Say what is to go: --entries, --bytes, --unused-for or --unusable");
  }
  const key = unusable ? await readKey(options.keyFile, io) : undefined;
  return await withBackend(options.store, async (backend) => {
    // Before any is read: there are filesystems where reading counts as use.
    const entries = await readEntries(backend, io.signal);
    const victims: Victim[] = [];
    let unjudged = 0;
    if (unusable) {
      assertKeyForShared(backend, key);
      for await (const { key: name, bytes, problem } of judge(backend, key, io.signal)) {
        if (problem === undefined) continue;
        // Without a key, what is sealed with one is not to be judged: it may well be good.
        if (key === undefined && problem instanceof ArtifactKeyError) unjudged++;
        else victims.push({ key: name, bytes, reason: "unusable" });
      }
    }
    const gone = new Set(victims.map((victim) => victim.key));
    const rest = entries.filter((entry) => !gone.has(entry.key));
    const nowMs = Date.now();
    const limits = {
      ...(entryLimit === undefined ? {} : { entries: entryLimit }),
      ...(byteLimit === undefined ? {} : { bytes: byteLimit }),
      ...(unusedFor === undefined ? {} : { unusedForMs: unusedFor }),
    };
    for (const { key: name, bytes, lastUsedMs } of chooseVictims(rest, { ...limits, share: 1, nowMs })) {
      const reason = lastUsedMs <= nowMs - (unusedFor ?? Infinity) ? "unused" : "limit";
      victims.push({ key: name, bytes, reason });
    }
    const removed: Victim[] = [];
    for (const victim of victims) {
      io.signal.throwIfAborted();
      if (dryRun || await backend.remove(victim.key)) removed.push(victim);
    }
    const total = totalOf(removed);
    await reporter.result({ store: backend.name, dryRun, removed, total, unjudged }, () => {
      const verb = dryRun ? "would remove" : "removed";
      const { style } = reporter;
      const lines = removed.map((victim) =>
        `${verb} ${victim.key} ${formatBytes(victim.bytes)} ${style.dim(`(${REASONS[victim.reason]})`)}`
      );
      lines.push(style.bold(`${verb} ${totalText(total)}`));
      if (unjudged > 0) {
        lines.push(`left ${formatCount(unjudged, "entry", "entries")} that only a key can judge: give --key-file`);
      }
      return lines.join("\n");
    });
    return EXIT_DONE;
  });
}

const REASONS: Readonly<Record<Victim["reason"], string>> = {
  unusable: "cannot be used",
  unused: "not used for long",
  limit: "over the limit",
};

/** Reads every entry, and tells whether it is whole. The backend stays open. */
async function* judge(backend: ArtifactBackend, key: Uint8Array | undefined, signal: AbortSignal) {
  const { ArtifactStore } = await import("../artifact/store/store.ts");
  yield* new ArtifactStore(backend, key === undefined ? {} : { key }).verify({ signal });
}

/** Verifies every entry of a store: the part of `artifact verify` that goes over a store. */
export async function verifyStore(
  url: string,
  options: { readonly keyFile?: string },
  { io, reporter }: CommandContext,
): Promise<number> {
  const key = await readKey(options.keyFile, io);
  return await withBackend(url, async (backend) => {
    assertKeyForShared(backend, key);
    const entries: { key: string; bytes: number; problem: Error | undefined }[] = [];
    for await (const { key: name, bytes, problem } of judge(backend, key, io.signal)) {
      entries.push({ key: name, bytes, problem });
    }
    const broken = entries.filter(({ problem }) => problem !== undefined);
    const total = totalOf(entries);
    const document = {
      store: backend.name,
      fits: broken.length === 0,
      entries: entries.map(({ key: name, bytes, problem }) => ({
        key: name,
        bytes,
        problem: problem === undefined ? null : errorDocument(problem),
      })),
      total,
    };
    await reporter.result(document, () => {
      const { good, bad, bold } = reporter.style;
      const lines = broken.map(({ key: name, problem }) => `${name}: ${printable(errorText(problem))}`);
      const verdict = broken.length === 0 ? good("all whole") : bad(`${broken.length} not whole`);
      lines.push(`${bold(totalText(total))}: ${verdict}`);
      return lines.join("\n");
    });
    return broken.length === 0 ? EXIT_DONE : EXIT_FAILED;
  });
}
