import { assert } from "@std/assert";

/** Runs a program; fails unless it succeeds. */
export async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  assert(success, `${program}: ${new TextDecoder().decode(stderr)}`);
}

/** Creates the corpus, calls a function with its directory, and removes it. */
export async function withCorpus(use: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    const program = new URL("make_archives.py", import.meta.url).pathname;
    await run("python3", program, `${root}/corpus`);
    const nodeProgram = new URL("make_node_archives.ts", import.meta.url).pathname;
    const permissions = ["--allow-env", "--allow-read", "--allow-sys", `--allow-write=${root}`];
    await run(Deno.execPath(), "run", "--no-prompt", ...permissions, nodeProgram, `${root}/corpus`);
    await use(`${root}/corpus`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}
