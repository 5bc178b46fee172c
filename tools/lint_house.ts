/**
 * The rules of this house that `deno lint` does not have: what only `src/memory` may do.
 *
 * Wired into `deno lint` by `deno.json`.
 *
 * @module
 */

/** The part of Deno's plugin interface that is used; Deno itself declares it among the unstable types only. */
interface LintContext {
  readonly filename: string;
  report(data: { node: LintNode; message: string }): void;
}

interface LintNode {
  readonly type: string;
  readonly name?: string;
  readonly object?: LintNode;
}

type LintRule = { create(context: LintContext): Partial<Record<string, (node: LintNode) => void>> };

const SHARED_MEMORY_RULE =
  "outside src/memory, shared memory is reached through the intrinsics and views of src/memory";

/** Whether a file is library code that stands above `src/memory`. */
function isAboveMemory(filename: string): boolean {
  const path = filename.replaceAll("\\", "/");
  return /\/src\/(?!memory\/)/.test(path) || path.endsWith("/mod.ts");
}

const plugin: { name: string; rules: Record<string, LintRule> } = {
  name: "house",
  rules: {
    "no-atomics": {
      create(context) {
        if (!isAboveMemory(context.filename)) return {};
        return {
          MemberExpression(node) {
            if (node.object?.type === "Identifier" && node.object.name === "Atomics") {
              context.report({ node, message: `Atomics used here: ${SHARED_MEMORY_RULE}` });
            }
          },
        };
      },
    },
    "no-resizable-buffer": {
      create(context) {
        if (/\/tests\//.test(context.filename)) return {};
        return {
          Identifier(node) {
            if (node.name === "toResizableBuffer") {
              context.report({
                node,
                message: "toResizableBuffer makes every later view of the memory 35 times slower",
              });
            }
          },
        };
      },
    },
  },
};

export default plugin;
