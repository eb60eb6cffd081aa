/** The runtimes and tools that tools/package-lock.json pins, and a function that runs commands. */

/** The time limit of a command. */
export const TIMEOUT_MS = 180_000;

/** The directory of the programs. */
export const HERE: URL = new URL("./", import.meta.url);
const TOOLS = new URL("tools/", HERE);

/** The architecture of this machine in the names of npm and Bun. */
const [CPU, BUN_CPU] = Deno.build.arch === "x86_64" ? ["x64", "x64"] : ["arm64", "aarch64"];

/** The path of a file in a package of tools/. */
export function tool(path: string): string {
  return new URL(`node_modules/${path}`, TOOLS).pathname;
}

/** The path of a version of Node. */
export const node = (major: number): string => tool(`node-${major}-linux-${CPU}/bin/node`);

/** The path of Bun. */
export const BUN: string = tool(`@oven/bun-linux-${BUN_CPU}/bin/bun`);

/** The path of Debian's Chromium, or the environment variable CHROMIUM. */
export const CHROMIUM: string = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";

/** The Node that runs the programs that control a browser or a worker. */
export const DRIVER: string = node(24);

/** Installs the packages of package-lock.json without scripts; fast where they are installed. */
export async function installTools(): Promise<void> {
  await output("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], TOOLS);
}

/** The version of a command; throws where it is not installed. */
export async function versionOf(command: string): Promise<string> {
  const text = await output(command, ["--version"]);
  return /\d+\.\d+\.\d+|\d{4}-\d\d-\d\d/.exec(text)?.[0] ?? text.trim();
}

/** Runs a command; returns its standard output, or throws with its standard error. */
export async function output(
  command: string,
  args: readonly string[],
  cwd: string | URL = HERE,
): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const process = new Deno.Command(command, { args: [...args], cwd, signal });
  const { success, stdout, stderr } = await process.output();
  if (success) return new TextDecoder().decode(stdout);
  const reason = signal.aborted
    ? `did not end within ${TIMEOUT_MS} ms`
    : new TextDecoder().decode(stderr);
  throw new Error(`${command} ${args.join(" ")}: ${reason}`);
}
