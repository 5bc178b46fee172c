/**
 * What somebody who can write a store, or a fault, may put in the place of an artifact. All but the artifacts of others
 * and the damaged ones carry code that tells something else than what was asked for.
 *
 * @module
 */
import { decodeContainer } from "../../../src/artifact/container.ts";
import { sealKey } from "../../../src/artifact/seal.ts";
import { sealedArtifact } from "../../unit/artifact/support.ts";

/** Whose place is taken, and what is at hand for it. */
export interface Victim {
  /** The artifact that belongs there. */
  readonly artifact: Uint8Array<ArrayBuffer>;
  /** The artifact of the same module and configuration for another version of the engine. */
  readonly ofOtherVersion: Uint8Array<ArrayBuffer>;
  /** The artifact of the same module and engine for a configuration with other tunables. */
  readonly ofOtherTunables: Uint8Array<ArrayBuffer>;
  /** The artifact of another module for the same engine and configuration. */
  readonly ofOtherModule: Uint8Array<ArrayBuffer>;
  /** The store's secret. */
  readonly secret: Uint8Array;
  /** A module that nobody has asked for. */
  readonly evil: Uint8Array<ArrayBuffer>;
}

/** A forgery: how to make it, and what a reader says of it. */
export interface Forgery {
  /** What it is. */
  readonly name: string;
  /** The code of the reader's error, and what does not fit where that is told. */
  readonly refusal: readonly [code: string, kind?: string];
  /** Makes it. */
  make(victim: Victim): Uint8Array<ArrayBuffer>;
}

const OTHER_SECRET = new Uint8Array(32).fill(0x5a);
const ALTERED = ["ERR_ARTIFACT_ALTERED"] as const;
const OTHER_KEY = ["ERR_ARTIFACT_KEY"] as const;
const incompatible = (kind: string) => ["ERR_ARTIFACT_INCOMPATIBLE", kind] as const;

/** Another bit at a place. */
function flipped(bytes: Uint8Array, at: number): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  copy[at]! ^= 0x10;
  return copy;
}

/** An artifact with the header of the right one and other code, sealed with some key. */
function disguised({ artifact, evil }: Victim, key?: Parameters<typeof sealedArtifact>[2]): Uint8Array<ArrayBuffer> {
  return sealedArtifact(decodeContainer(artifact).header, evil, key);
}

/** Evil code under the header of the right artifact, sealed without a key. */
export const KEYLESS: Forgery = {
  name: "another's code, sealed without a key",
  refusal: OTHER_KEY,
  make: (victim) => disguised(victim),
};

/** All of them. */
export const FORGERIES: readonly Forgery[] = [
  {
    name: "the artifact for another version of the engine",
    refusal: incompatible("version"),
    make: ({ ofOtherVersion }) => ofOtherVersion,
  },
  {
    name: "the artifact for a configuration with other tunables",
    refusal: incompatible("tunable"),
    make: ({ ofOtherTunables }) => ofOtherTunables,
  },
  {
    name: "the artifact of another module",
    refusal: ALTERED,
    make: ({ ofOtherModule }) => ofOtherModule,
  },
  {
    name: "an artifact that only belongs to other inputs, sealed with the key",
    refusal: ALTERED,
    make: ({ artifact, evil, secret }) => {
      const { header } = decodeContainer(artifact);
      return sealedArtifact({ ...header, extra: new Uint8Array(32) }, evil, sealKey(secret));
    },
  },
  KEYLESS,
  {
    name: "another's code, sealed with another key",
    refusal: OTHER_KEY,
    make: (victim) => disguised(victim, sealKey(OTHER_SECRET)),
  },
  {
    name: "another's code, sealed with another key under the name of the right one",
    refusal: ALTERED,
    make: (victim) => disguised(victim, { secret: OTHER_SECRET, id: sealKey(victim.secret).id }),
  },
  {
    name: "the artifact with a bit of its code flipped",
    refusal: ALTERED,
    make: ({ artifact }) => flipped(artifact, artifact.length - 3),
  },
  {
    name: "the artifact with a bit of its seal flipped",
    refusal: ALTERED,
    make: ({ artifact }) => flipped(artifact, decodeContainer(artifact).sealAt),
  },
  {
    name: "half of the artifact's code",
    refusal: ALTERED,
    make: ({ artifact }) => artifact.slice(0, (decodeContainer(artifact).payloadAt + artifact.length) >> 1),
  },
  { name: "an ordinary module", refusal: incompatible("header-missing"), make: ({ evil }) => evil },
  { name: "nothing", refusal: incompatible("container"), make: () => new Uint8Array(0) },
];
