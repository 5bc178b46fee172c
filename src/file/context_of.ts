/**
 * How an adapter gets from a surface, which it may not import, to the state of that agent's operations.
 *
 * @module
 */
import { Context } from "./context.ts";

/** Under this key a surface keeps the state of its agent's operations. */
export const CONTEXT: unique symbol = Symbol("ExtMemFS context");

/** The state of the operations behind a surface; undefined for what is none of this copy of the library. */
export function contextOf(surface: unknown): Context | undefined {
  if (typeof surface !== "object" || surface === null) return undefined;
  const context = (surface as { [CONTEXT]?: unknown })[CONTEXT];
  return context instanceof Context ? context : undefined;
}
