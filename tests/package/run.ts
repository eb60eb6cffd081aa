/**
 * `deno task test:package`: builds the npm package, lints the tarball, installs it into an empty Node
 * project, and uses it there from JavaScript and TypeScript. The tools of the project are pinned in
 * tools/: TypeScript in the oldest version that Angular 21 supports. Then runs the README's commands for
 * a clone in other empty projects.
 */
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { addFiles, installPackage, run } from "./project.ts";

/** Declarations of libraries are checked too, since those of this package are among them. */
const STRICT = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
};

/** Kinds of TypeScript projects, by how they resolve a package and the types of the web platform. */
const PROJECTS = {
  "a Node server, without the DOM": { module: "nodenext", lib: ["es2022"], types: ["node"] },
  "a bundled browser app": {
    module: "preserve",
    moduleResolution: "bundler",
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    types: [],
  },
};

const HERE = new URL("./", import.meta.url);
const ROOT = new URL("../../", HERE);

const PROGRAMS = ["consumer.mjs", "consumer.ts", "documentation.mjs", "browser_globals.mjs"];

const PACKED_DOCUMENTS = ["README.md", "LICENSE", "CHANGELOG.md"];

async function testPackage(project: string): Promise<void> {
  const tarball = await installPackage(project);
  for (const file of PACKED_DOCUMENTS) {
    await Deno.stat(`${project}/node_modules/${config.name}/${file}`);
  }
  console.log("Packed and installed, with its README, licence and changelog.");
  await run(project, "npx", "publint", "--strict", tarball);
  // The package has no CommonJS: `require` of an ES module works from Node 22.12 on.
  await run(project, "npx", "attw", "--profile", "esm-only", "--quiet", tarball);

  await addFiles(project, PROGRAMS);
  await run(project, "node", "documentation.mjs");
  await run(project, "node", "browser_globals.mjs");
  if ("./cli" in config.exports) await testCommand(project);

  await run(project, "node", "consumer.mjs");
  for (const [name, options] of Object.entries(PROJECTS)) {
    const tsconfig = { compilerOptions: { ...STRICT, ...options }, files: ["consumer.ts"] };
    await Deno.writeTextFile(`${project}/tsconfig.json`, JSON.stringify(tsconfig));
    await run(project, "node_modules/.bin/tsc");
    console.log(`TypeScript checked it as ${name}.`);
  }
}

async function testCommand(project: string): Promise<void> {
  const command = new Deno.Command(`${project}/node_modules/.bin/hpcai-rx`, { args: ["--help"] });
  const { success, stdout } = await command.output();
  if (!success || stdout.length === 0) throw new Error("hpcai-rx --help prints nothing");
  console.log("Node runs the command hpcai-rx.");
}

/** Runs the README's commands for a clone, and uses what they install. */
async function testClone(directory: string): Promise<void> {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  await Deno.symlink(fileURLToPath(ROOT), `${directory}/rx`);
  await Deno.mkdir(`${directory}/bin`);
  await Deno.symlink(Deno.execPath(), `${directory}/bin/deno`);
  const env = {
    PATH: `${directory}/bin:${Deno.env.get("PATH")}`,
    npm_config_prefix: `${directory}/node-commands`,
    DENO_INSTALL_ROOT: `${directory}/deno-commands`,
  };
  const run = async (project: string, command: string, ...args: string[]) => {
    const cwd = `${directory}/${project}`;
    const { success } = await new Deno.Command(command, { args, cwd, env }).spawn().status;
    if (!success) throw new Error(`Failed: ${command} ${args.join(" ")}`);
  };
  for (const project of ["node-project", "deno-project"]) {
    await Deno.mkdir(`${directory}/${project}`);
    const program = new URL("consumer.mjs", HERE);
    await Deno.copyFile(program, `${directory}/${project}/consumer.mjs`);
  }
  await run("node-project", "bash", "-euc", codeBlock(readme, "Install", "sh"));
  await run("node-project", "node", "consumer.mjs");
  console.log("Node uses the package that the README's commands install from a clone.");

  const settings = codeBlock(readme, "Install", "json");
  await Deno.writeTextFile(`${directory}/deno-project/deno.json`, settings);
  await run("deno-project", "deno", "run", "--allow-all", "consumer.mjs");
  console.log("Deno uses the clone that the README's deno.json links.");

  await run("node-project", "bash", "-euc", codeBlock(readme, "Command line", "sh"));
  for (const commands of [env.npm_config_prefix, env.DENO_INSTALL_ROOT]) {
    await run("node-project", `${commands}/bin/hpcai-rx`, "--demo", "run", "list", "--limit", "1");
  }
  console.log("The commands that the README installs from a clone run in Node and Deno.");
}

/** The first code block of a language in a section of the README. */
function codeBlock(readme: string, section: string, language: string): string {
  const [, text = ""] = new RegExp(`^## ${section}$([^]*?)^## `, "m").exec(readme) ?? [];
  const [, code] = new RegExp(`^\`\`\`${language}$([^]*?)^\`\`\`$`, "m").exec(text) ?? [];
  if (code === undefined) throw new Error(`No ${language} in the README's section ${section}`);
  return code;
}

for (const test of [testPackage, testClone]) {
  const directory = await Deno.makeTempDir();
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
