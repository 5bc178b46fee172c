/**
 * Replaces instructions by calls of functions that are added to the module. A call takes from the stack and leaves there
 * what the instruction would: so nothing else of a function's code has to be understood. The new functions come after all
 * others and their types after all others, so that no index changes.
 *
 * What is lowered so has exactly the meaning of what it replaces; inlining is the optimizer's business.
 *
 * @module
 */
import { SECTION_CODE, SECTION_CUSTOM, SECTION_FUNCTION, SECTION_TYPE } from "../wasm/sections.ts";
import type { Section } from "../wasm/sections.ts";
import { Reader } from "../wasm/reader.ts";
import { functionBody, functionType, type Helper, unsigned } from "./assembler.ts";
import { eachInstruction, type Instruction } from "./instructions.ts";
import type { ModuleParts } from "./module_parts.ts";

/** What becomes of an instruction. */
export interface Replacement {
  /** Replacements with the same key have the same helper. */
  readonly key: string;
  /** Makes the function that is called. */
  readonly helper: () => Helper;
  /** Whether the instruction stays, behind the call. */
  readonly keep?: boolean;
}

/** Decides about an instruction; undefined leaves it as it is. */
export type Decide = (instruction: Instruction) => Replacement | undefined;

/** Custom sections with offsets into code: they would be wrong afterwards. */
const WITH_CODE_OFFSETS = /^(\.debug_|metadata\.code\.|reloc\.|linking$|sourceMappingURL$|external_debug_info$)/;

/**
 * Replaces instructions. Gives the same binary where nothing is to be replaced.
 *
 * Custom sections that hold offsets into code, DWARF among them, are left out where something was replaced.
 */
export function rewrite(parts: ModuleParts, decide: Decide): Uint8Array {
  const helpers = new Map<string, { readonly index: number; readonly helper: Helper }>();
  const bodies = parts.bodies.map((body) => {
    const pieces: Uint8Array[] = [];
    let copied = body.start;
    eachInstruction(parts.bytes, body, (instruction) => {
      const replacement = decide(instruction);
      if (replacement === undefined) return;
      let called = helpers.get(replacement.key);
      if (called === undefined) {
        called = { index: parts.functionCount + helpers.size, helper: replacement.helper() };
        helpers.set(replacement.key, called);
      }
      pieces.push(parts.bytes.subarray(copied, instruction.start), Uint8Array.of(0x10, ...unsigned(called.index)));
      copied = replacement.keep ? instruction.start : instruction.end;
    });
    return [...pieces, parts.bytes.subarray(copied, body.end)];
  });
  if (helpers.size === 0) return parts.bytes;
  const added = [...helpers.values()].map((entry) => entry.helper);
  return concat(
    parts.bytes.subarray(0, 8),
    ...parts.sections.flatMap((section) => rewriteSection(parts, section, bodies, added)),
  );
}

function rewriteSection(
  parts: ModuleParts,
  section: Section,
  bodies: readonly (readonly Uint8Array[])[],
  added: readonly Helper[],
): Uint8Array[] {
  switch (section.id) {
    case SECTION_CUSTOM:
      if (WITH_CODE_OFFSETS.test(section.name!)) return [];
      break;
    case SECTION_TYPE:
      return appended(parts, section, added.map(functionType));
    case SECTION_FUNCTION:
      return appended(parts, section, added.map((_, index) => unsigned(parts.typeCount + index)));
    case SECTION_CODE: {
      const own = bodies.flatMap((pieces) => {
        const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
        return [Uint8Array.from(unsigned(size)), ...pieces];
      });
      return sectionOf(SECTION_CODE, [
        Uint8Array.from(unsigned(bodies.length + added.length)),
        ...own,
        ...added.map((helper) => Uint8Array.from(functionBody(helper))),
      ]);
    }
  }
  return [parts.bytes.subarray(section.start, section.end)];
}

/** A section that is a list, with more at its end. */
function appended(parts: ModuleParts, section: Section, more: readonly number[][]): Uint8Array[] {
  const reader = new Reader(parts.bytes, section.contentStart, section.end);
  const count = reader.u32();
  return sectionOf(section.id, [
    Uint8Array.from(unsigned(count + more.length)),
    parts.bytes.subarray(reader.at, section.end),
    ...more.map((item) => Uint8Array.from(item)),
  ]);
}

function sectionOf(id: number, pieces: readonly Uint8Array[]): Uint8Array[] {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return [Uint8Array.of(id, ...unsigned(size)), ...pieces];
}

function concat(...pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
