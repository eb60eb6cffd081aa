/**
 * `deno task api [--check]`: writes the public API of the npm package into api/, one text for each entry
 * of deno.json. With `--check` it only prints how api/ differs from the code, and fails if it does.
 */
import { fileURLToPath } from "node:url";
import { addFiles, installPackage, run } from "../tests/package/project.ts";

const API = fileURLToPath(new URL("../api", import.meta.url));

async function writeApi(directory: string): Promise<void> {
  const project = await Deno.makeTempDir();
  try {
    await installPackage(project);
    await addFiles(project, ["api_report.mjs"]);
    await run(project, "node", "api_report.mjs", directory);
  } finally {
    await Deno.remove(project, { recursive: true });
  }
}

async function isUpToDate(): Promise<boolean> {
  const directory = await Deno.makeTempDir();
  try {
    await writeApi(directory);
    const args = ["--no-pager", "diff", "--no-index", API, directory];
    return (await new Deno.Command("git", { args }).spawn().status).success;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (!Deno.args.includes("--check")) {
  await Deno.remove(API, { recursive: true });
  await Deno.mkdir(API);
  await writeApi(API);
} else if (!await isUpToDate()) {
  console.error("The public API differs from api/. Review it, run `deno task api`, commit api/.");
  Deno.exitCode = 1;
}
