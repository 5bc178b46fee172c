/**
 * `deno task ok`: everything that must hold before a change goes in. Stops at the first step that fails.
 *
 *     deno task ok [--no-tests]
 *
 * @module
 */

interface Step {
  readonly name: string;
  /** Commands of Deno, run one after the other. */
  readonly commands: readonly (readonly string[])[];
}

const STEPS: readonly Step[] = [
  { name: "format", commands: [["fmt", "--check"]] },
  { name: "lint", commands: [["lint"]] },
  { name: "layers", commands: [["run", "-A", "tools/check_layers.ts"]] },
  {
    name: "generated files",
    commands: [
      ["run", "-A", "tools/build_intrinsics.ts", "--check"],
      ["run", "-A", "tools/build_bridge.ts", "--check"],
      ["run", "-A", "tools/generate_docs.ts", "--check"],
      ["run", "-A", "tools/generate_header.ts", "--check"],
    ],
  },
  { name: "types", commands: [["check", "--frozen", "."]] },
  { name: "documentation", commands: [["doc", "--lint", "mod.ts", "emscripten.ts", "artifact.ts", "cli.ts"]] },
  { name: "publish (dry run)", commands: [["publish", "--dry-run", "--allow-dirty"]] },
  { name: "tests and examples", commands: [["task", "test"]] },
];

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => arg !== "--no-tests");
  if (unknown !== undefined) {
    console.error(`ok: unknown argument '${unknown}' (usage: deno task ok [--no-tests])`);
    return 2;
  }
  const steps = args.includes("--no-tests") ? STEPS.slice(0, -1) : STEPS;
  for (const { name, commands } of steps) {
    console.log(`\n== ${name}`);
    const start = performance.now();
    for (const command of commands) {
      const { code } = await new Deno.Command(Deno.execPath(), {
        args: [...command],
        cwd: new URL("../", import.meta.url),
        stdin: "null",
      }).spawn().status;
      if (code !== 0) {
        console.error(`== ${name}: FAILED (deno ${command.join(" ")}: exit code ${code})`);
        return 1;
      }
    }
    console.log(`== ${name}: ok (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
