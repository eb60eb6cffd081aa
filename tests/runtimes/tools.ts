/** The runtimes and the tools that npm brings, as pinned in tools/, and how they are run. */

/** How long a runtime may take, or npm to install them all. */
export const TIMEOUT_MS = 180_000;

/** Where the programs are. */
export const HERE: URL = new URL("./", import.meta.url);
const TOOLS = new URL("tools/", HERE);

/** This machine's architecture, as npm calls it and as Bun does. */
const [CPU, BUN_CPU] = Deno.build.arch === "x86_64" ? ["x64", "x64"] : ["arm64", "aarch64"];

/** A file of a package in tools/. */
export function tool(path: string): string {
  return new URL(`node_modules/${path}`, TOOLS).pathname;
}

/** A version of Node. */
export const node = (major: number): string => tool(`node-${major}-linux-${CPU}/bin/node`);

/** Bun. */
export const BUN: string = tool(`@oven/bun-linux-${BUN_CPU}/bin/bun`);

/** Debian's Chromium, or another one. */
export const CHROMIUM: string = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";

/** The Node that runs the programs which drive a browser or a worker. */
export const DRIVER: string = node(24);

/** Installs what package-lock.json pins, without scripts; a moment where it is there already. */
export async function installTools(): Promise<void> {
  await output("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], TOOLS);
}

/** Throws where the command is not there. */
export async function versionOf(command: string): Promise<string> {
  const printed = await output(command, ["--version"]);
  return /\d+\.\d+\.\d+|\d{4}-\d\d-\d\d/.exec(printed)?.[0] ?? printed.trim();
}

/** Runs a command up to its end and gives what it prints. */
export async function output(
  command: string,
  args: readonly string[],
  cwd: string | URL = HERE,
): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const process = new Deno.Command(command, { args: [...args], cwd, signal });
  const { success, stdout, stderr } = await process.output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
