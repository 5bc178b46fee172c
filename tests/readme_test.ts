import { assert, assertEquals } from "./support/assert.ts";

const root = new URL("../", import.meta.url);
const readme = Deno.readTextFileSync(new URL("README.md", root));

Deno.test("README shows examples/quick_start_worker.ts as it is", () => {
  const worker = Deno.readTextFileSync(new URL("examples/quick_start_worker.ts", root));
  assert(readme.includes("```ts\n" + worker + "```\n"));
});

Deno.test("README links only to what is there", () => {
  const missing: string[] = [];
  for (const [, target] of readme.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
    if (/^https?:/.test(target!)) continue;
    try {
      Deno.statSync(new URL(target!, root));
    } catch {
      missing.push(target!);
    }
  }
  assertEquals(missing, []);
});
