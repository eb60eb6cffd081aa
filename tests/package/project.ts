/** A Node project with the npm package, installed as users do, and with the tools pinned in tools/. */
import { buildNpm } from "../../tasks/build_npm.ts";

const HERE = new URL("./", import.meta.url);
const TOOLS = ["tools/.npmrc", "tools/package.json", "tools/package-lock.json"];

/** Runs a command in a directory and fails if it fails. */
export async function run(cwd: string, command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args, cwd }).spawn().status;
  if (!success) throw new Error(`Failed: ${command} ${args.join(" ")}`);
}

/** Copies files of this directory into the project. */
export async function addFiles(project: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await Deno.copyFile(new URL(path, HERE), `${project}/${path.replace("tools/", "")}`);
  }
}

/** Installs the tools and the package into an empty directory, and returns the tarball's path. */
export async function installPackage(project: string): Promise<string> {
  await addFiles(project, TOOLS);
  const tarball = await buildNpm(project);
  await run(project, "npm", "ci", "--silent");
  await run(project, "npm", "install", "--no-save", "--silent", tarball);
  return tarball;
}
