/**
 * The filesystem under test, as the runner uses it: through one agent, or through several that take turns.
 *
 * @module
 */

import { constants } from "node:fs";
import { FileSystem } from "../../mod.ts";
import * as openFlags from "../../src/file/flags.ts";
import type { Methods } from "./interpreter.mts";

/** Enough for any sequence, holes not counted. */
const MAXIMUM_BYTES = 64 << 20;

/** How the filesystem under test is used. */
export interface SubjectOptions {
  /** How much it checks itself: not at all, or fully. */
  debugLevel: 0 | 3;
  /** How many agents take turns; a descriptor stays with the agent that opened it. */
  agentCount: number;
}

/** A fresh, empty filesystem. */
export interface Subject {
  /** Its methods, named as in `node:fs`. */
  fs: Methods;
  /** Its numbers for flags: those of Linux on x86-64 for `open`, on every machine. */
  constants: Record<string, number>;
  /** Lists what is wrong inside it. */
  check(): readonly unknown[];
  /** Gives back what it holds. */
  dispose(): void;
}

/** Makes a filesystem for one sequence. */
export function createSubject({ debugLevel, agentCount }: SubjectOptions): Subject {
  const options = { debugLevel, umask: 0o022 };
  const first = FileSystem.create({ ...options, maximumBytes: MAXIMUM_BYTES });
  const agents = [first];
  while (agents.length < agentCount) agents.push(FileSystem.attach(first.handle, options));
  return {
    fs: takingTurns(agents as unknown as Methods[]),
    constants: { ...(constants as unknown as Record<string, number>), ...openFlags },
    check: () => first.check(),
    dispose: () => {
      for (const agent of agents.toReversed()) agent.detach();
    },
  };
}

/** Methods that go to each agent in turn. Descriptors are numbered so that they tell their agent. */
function takingTurns(agents: Methods[]): Methods {
  const count = agents.length;
  const [only] = agents;
  if (count === 1) return only;
  const given = new Set<unknown>();
  let turn = 0;
  return new Proxy({}, {
    get: (_, name: string) => {
      if (typeof only[name] !== "function") return undefined;
      return (...args: unknown[]): unknown => {
        if (given.has(args[0])) {
          const [descriptor, ...rest] = args as [number, ...unknown[]];
          return agents[descriptor % count][name](Math.floor(descriptor / count), ...rest);
        }
        const index = turn++ % count;
        const result = agents[index][name](...args);
        if (name !== "openSync") return result;
        given.add(result * count + index);
        return result * count + index;
      };
    },
  });
}
