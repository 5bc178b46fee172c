/**
 * A place for artifacts in a bucket of S3, or of what speaks it: an object for each entry, below a prefix.
 *
 * There are no locks: excluding others takes a conditional write, which not every server that speaks S3 has (OpenStack
 * Swift refuses it, others have ignored it), and a server that ignores the condition would give one lock to everybody.
 * So hosts may compile the same module at the same time, and one of the results stays; workers of one host are kept
 * apart by the locks of their pool.
 *
 * S3 replaces an object at once. What speaks it need not: Swift removes the old object's file after it has put the new one
 * there, and a reader that has looked up the old name in between is told that there is nothing. That is a miss, and costs
 * a compilation.
 *
 * Imports the contract of backends and what networked backends share; npm's `@aws-sdk/client-s3` when it is connected.
 *
 * @module
 */
import { ArtifactStoreError } from "../errors.ts";
import {
  type ArtifactBackend,
  assertKey,
  type BackendEntry,
  type BackendOptions,
  type BackendValue,
} from "./backend.ts";
import { type Advice, copyOf, failureOf, UNREACHABLE, untilAborted } from "./networked.ts";

/** Where an object is. */
export interface S3Place {
  /** The bucket. */
  Bucket: string;
  /** The object's name. */
  Key: string;
}

/** How a request is sent. */
export interface S3RequestOptions {
  /** Ends the request. */
  abortSignal?: AbortSignal;
}

/** What a bucket is asked for: the part of `new S3({…})` of npm's `@aws-sdk/client-s3` that is used. */
export interface S3Commands {
  /** Reads an object. */
  getObject(place: S3Place, options?: S3RequestOptions): Promise<
    { Body?: { transformToByteArray(): Promise<Uint8Array> }; ContentLength?: number }
  >;
  /** Writes an object. */
  putObject(
    input: S3Place & { Body: Uint8Array; ContentLength: number; ContentType: string },
    options?: S3RequestOptions,
  ): Promise<unknown>;
  /** Copies an object. */
  copyObject(
    input: S3Place & {
      CopySource: string;
      MetadataDirective: "REPLACE";
      ContentType: string;
    },
  ): Promise<unknown>;
  /** Describes an object. */
  headObject(place: S3Place): Promise<{ LastModified?: Date }>;
  /** Removes an object, or nothing. */
  deleteObject(place: S3Place): Promise<unknown>;
  /** Lists objects, a page at a time. */
  listObjectsV2(
    input: { Bucket: string; Prefix: string; ContinuationToken?: string; MaxKeys?: number },
    options?: S3RequestOptions,
  ): Promise<{
    Contents?: { Key?: string; Size?: number; LastModified?: Date }[];
    IsTruncated?: boolean;
    NextContinuationToken?: string;
  }>;
}

/** Options of {@linkcode S3Backend}. */
export interface S3BackendOptions {
  /** The bucket. It must exist. */
  readonly bucket: string;
  /** What the names of all objects begin with. Default `extmemfs/artifacts/`. */
  readonly prefix?: string;
  /**
   * How exact the last use is, in milliseconds: an entry that was written or touched less than this ago is not touched
   * again, as each touch is a copy of the object. Default 86400000, a day.
   */
  readonly touchIntervalMs?: number;
  /** What messages call the backend. Default `s3://bucket/prefix`. */
  readonly name?: string;
}

/** Options of {@linkcode S3Backend.connect}. */
export interface S3ConnectOptions extends Pick<S3BackendOptions, "touchIntervalMs" | "name"> {
  /** As whom to ask. Default: as the SDK finds out, from the environment, its configuration files, or the machine. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** How long the server may keep silent, in milliseconds; each request is tried twice. Default 5000. */
  readonly timeoutMs?: number;
}

/** The prefix where none is given. */
const DEFAULT_PREFIX = "extmemfs/artifacts/";

/** The largest object that is written in one piece: 5 GiB. */
const LARGEST_BYTES = 5 * 1024 ** 3;

const CONTENT_TYPE = "application/octet-stream";

const ADVICE: Advice = [
  [/NoSuchBucket/, "make the bucket first"],
  [/AccessDenied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|Expired/, "check the credentials"],
  [/Credentials/, "give credentials by the SDK's environment variables or its files, or as an option"],
  [/PermanentRedirect|AuthorizationHeaderMalformed/, "check the region"],
  [UNREACHABLE, "does the server run, and is it reached from here?"],
];

/**
 * A place for artifacts in a bucket.
 *
 * All methods reject with an {@linkcode ArtifactStoreError} that has the server's text where it refuses, or is not
 * reached; with a `TypeError` for what is no key.
 */
export class S3Backend implements ArtifactBackend {
  /** See {@linkcode ArtifactBackend.name}. */
  readonly name: string;
  /** Other hosts may write: true. */
  readonly shared = true;
  readonly #client: S3Commands;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #touchIntervalMs: number;
  #owned: { destroy(): void } | undefined;

  /** Makes a backend over a client that somebody else makes and destroys. */
  constructor(client: S3Commands, options: S3BackendOptions) {
    const { bucket, prefix = DEFAULT_PREFIX, touchIntervalMs = 86_400_000 } = options;
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#touchIntervalMs = touchIntervalMs;
    this.name = options.name ?? `s3://${bucket}/${prefix}`;
  }

  /**
   * Makes a client by npm's `@aws-sdk/client-s3`, and lists the bucket as a sign of life; without the right to list it
   * (`s3:ListBucket`), S3 does not tell what is missing from what is forbidden.
   *
   * @param url `s3://bucket/prefix`, where needed with `?endpoint=http://127.0.0.1:9000`, `region=us-east-1` and
   * `forcePathStyle=true`. What is left out is as the SDK finds out.
   * @throws {ArtifactStoreError} where the URL is none, the server is not reached, or refuses.
   */
  static async connect(url: string, options: S3ConnectOptions = {}): Promise<S3Backend> {
    const { bucket, prefix, endpoint, region, forcePathStyle } = parseS3Url(url);
    const { credentials, timeoutMs = 5000, ...rest } = options;
    const { S3 } = await importSdk();
    const client = new S3({
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      ...(credentials === undefined ? {} : { credentials }),
      forcePathStyle,
      maxAttempts: 2,
      // Servers other than Amazon's refuse checksums that they do not know, or do not give any.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      requestHandler: { connectionTimeout: timeoutMs, socketTimeout: timeoutMs },
    });
    const backend = new S3Backend(client, { ...rest, bucket, prefix });
    backend.#owned = client;
    try {
      await backend.#ask("connect", undefined, client.listObjectsV2({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 }));
    } catch (error) {
      client.destroy();
      throw error;
    }
    return backend;
  }

  /** See {@linkcode ArtifactBackend.read}. */
  async read(key: string, options: BackendOptions = {}): Promise<BackendValue | undefined> {
    const place = this.#place(key);
    const { signal } = options;
    signal?.throwIfAborted();
    const whole = async () => {
      const { Body, ContentLength } = await this.#client.getObject(place, requestOptions(signal));
      const bytes = await Body!.transformToByteArray();
      if (ContentLength !== undefined && ContentLength !== bytes.length) {
        throw new Error(`${bytes.length} bytes came instead of ${ContentLength}`);
      }
      return bytes;
    };
    const bytes = await this.#find("read", signal, whole());
    return bytes === undefined ? undefined : { bytes: copyOf(bytes), verified: false };
  }

  /**
   * See {@linkcode ArtifactBackend.write}.
   *
   * @throws {ArtifactStoreError} also for more than 5 GiB.
   */
  async write(key: string, bytes: Uint8Array, options: BackendOptions = {}): Promise<void> {
    const place = this.#place(key);
    const { signal } = options;
    if (bytes.length > LARGEST_BYTES) {
      throw new ArtifactStoreError(
        `${this.name}: write of ${bytes.length} bytes: S3 takes at most ${LARGEST_BYTES} (5 GiB) in one piece`,
      );
    }
    signal?.throwIfAborted();
    const input = { ...place, Body: copyOf(bytes), ContentLength: bytes.length, ContentType: CONTENT_TYPE };
    await this.#ask("write", signal, this.#client.putObject(input, requestOptions(signal)));
  }

  /**
   * See {@linkcode ArtifactBackend.touch}: copies the object onto itself where it is older than `touchIntervalMs`. The
   * last use is then what the server's clock says.
   */
  async touch(key: string, nowMs: number): Promise<void> {
    const place = this.#place(key);
    const found = await this.#find("touch", undefined, this.#client.headObject(place));
    if (found === undefined || nowMs - (found.LastModified?.getTime() ?? 0) < this.#touchIntervalMs) return;
    const copied = this.#client.copyObject({
      ...place,
      CopySource: [place.Bucket, ...place.Key.split("/")].map(encodeURIComponent).join("/"),
      MetadataDirective: "REPLACE",
      ContentType: CONTENT_TYPE,
    });
    await this.#find("touch", undefined, copied);
  }

  /** See {@linkcode ArtifactBackend.remove}. Of two that remove at the same moment, both may be told that it was there. */
  async remove(key: string): Promise<boolean> {
    const place = this.#place(key);
    const found = await this.#find("remove", undefined, this.#client.headObject(place));
    if (found === undefined) return false;
    await this.#find("remove", undefined, this.#client.deleteObject(place));
    return true;
  }

  /** See {@linkcode ArtifactBackend.list}. Objects below the prefix whose names are no keys are not entries. */
  async *list(options: BackendOptions = {}): AsyncGenerator<BackendEntry, void> {
    const { signal } = options;
    let ContinuationToken: string | undefined;
    do {
      signal?.throwIfAborted();
      const input = {
        Bucket: this.#bucket,
        Prefix: this.#prefix,
        ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
      };
      const page = await this.#ask("list", signal, this.#client.listObjectsV2(input, requestOptions(signal)));
      for (const { Key = "", Size, LastModified } of page.Contents ?? []) {
        const key = Key.slice(this.#prefix.length);
        if (!/^[A-Za-z0-9_-]{43}$/.test(key) || Size === undefined || LastModified === undefined) continue;
        yield { key, bytes: Size, lastUsedMs: LastModified.getTime() };
      }
      ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  /** Closes the connections where {@linkcode connect} has made the client. */
  // deno-lint-ignore require-await -- a backend gives a promise
  async close(): Promise<void> {
    this.#owned?.destroy();
  }

  #place(key: string): S3Place {
    assertKey(key);
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  async #ask<T>(asked: string, signal: AbortSignal | undefined, answer: Promise<T>): Promise<T> {
    try {
      return await untilAborted(answer, signal);
    } catch (error) {
      throw failureOf(this.name, asked, error, ADVICE, signal);
    }
  }

  /** Gives undefined where there is no such object. */
  #find<T>(asked: string, signal: AbortSignal | undefined, answer: Promise<T>): Promise<T | undefined> {
    const found = answer.catch((error) => {
      const { name } = error as { name?: unknown };
      // What answers a HEAD has no body to say whether the object or the bucket is missing.
      if (name === "NoSuchKey" || name === "NotFound") return undefined;
      throw error;
    });
    return this.#ask(asked, signal, found);
  }
}

function requestOptions(signal: AbortSignal | undefined): S3RequestOptions {
  return signal === undefined ? {} : { abortSignal: signal };
}

/** Takes a URL apart. The errors do not repeat it: it may hold what does not belong there. */
function parseS3Url(url: string) {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const fail = (found: string): never => {
    throw new ArtifactStoreError(
      `the address of a bucket reads s3://bucket/prefix?endpoint=…&region=…&forcePathStyle=true, all behind the bucket ` +
        `being optional; ${found}`,
    );
  };
  if (parsed === undefined || parsed.protocol !== "s3:" || parsed.hostname === "") return fail("this is none");
  if (parsed.username !== "" || parsed.password !== "") {
    return fail("credentials do not belong there: give them by the SDK's environment variables, or as an option");
  }
  if (parsed.port !== "" || parsed.hash !== "") return fail("there is no port and no #: the server is the endpoint");
  const known = ["endpoint", "region", "forcePathStyle"];
  const query = new Map(parsed.searchParams);
  for (const name of query.keys()) {
    if (!known.includes(name)) return fail(`there is no ${JSON.stringify(name)}, only ${known.join(", ")}`);
  }
  const pathStyle = query.get("forcePathStyle") ?? "false";
  if (pathStyle !== "true" && pathStyle !== "false") return fail("forcePathStyle is true or false");
  const endpoint = query.get("endpoint");
  if (endpoint !== undefined && !/^https?:\/\/[^@]+$/.test(endpoint)) {
    return fail("endpoint is a URL of http: or https: without user and password");
  }
  let path = parsed.pathname.replace(/^\//, "");
  try {
    path = decodeURIComponent(path);
  } catch {
    return fail("the prefix has a stray %: write it as %25");
  }
  return {
    bucket: parsed.hostname,
    prefix: path === "" ? DEFAULT_PREFIX : path.replace(/\/*$/, "/"),
    endpoint,
    region: query.get("region"),
    forcePathStyle: pathStyle === "true",
  };
}

async function importSdk(): Promise<typeof import("@aws-sdk/client-s3")> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    throw new ArtifactStoreError(
      `npm's package "@aws-sdk/client-s3" cannot be loaded (install it beside this module): ${cause}`,
      { cause },
    );
  }
}
