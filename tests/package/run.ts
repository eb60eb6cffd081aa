/**
 * `deno task test:package`: packs the package as it would go to npm, installs the tarball into an
 * empty Node project, and uses it there from JavaScript and from TypeScript.
 */
import config from "../../deno.json" with { type: "json" };

/** The oldest that Angular 21 takes. */
const TYPESCRIPT = "typescript@~5.9.0";
const NODE_TYPES = "@types/node@^20";

/** Libraries' declarations are checked too, since this package's are among them. */
const STRICT = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
};

/** The ways in which TypeScript projects find a package and the web's types. */
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

const ROOT = new URL("../../", import.meta.url);
const HERE = new URL("./", import.meta.url);

async function run(cwd: string | URL, command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args, cwd }).spawn().status;
  if (!success) throw new Error(`Failed: ${command} ${args.join(" ")}`);
}

async function testPackage(project: string): Promise<void> {
  const tarball = `${project}/package.tgz`;
  await run(ROOT, Deno.execPath(), "pack", "--quiet", "--allow-dirty", "--output", tarball);
  await Deno.writeTextFile(`${project}/package.json`, `{ "private": true, "type": "module" }`);
  const packages = [tarball, TYPESCRIPT, NODE_TYPES];
  await run(project, "npm", "install", "--silent", "--no-audit", "--no-fund", ...packages);
  for (const file of ["README.md", "LICENSE"]) {
    await Deno.stat(`${project}/node_modules/${config.name}/${file}`);
  }
  console.log("Packed and installed, with its README and licence.");

  for (const file of ["consumer.mjs", "consumer.ts"]) {
    await Deno.copyFile(new URL(file, HERE), `${project}/${file}`);
  }
  await run(project, "node", "consumer.mjs");
  for (const [name, options] of Object.entries(PROJECTS)) {
    const tsconfig = { compilerOptions: { ...STRICT, ...options }, files: ["consumer.ts"] };
    await Deno.writeTextFile(`${project}/tsconfig.json`, JSON.stringify(tsconfig));
    await run(project, "node_modules/.bin/tsc");
    console.log(`TypeScript checked it as ${name}.`);
  }
}

const project = await Deno.makeTempDir();
try {
  await testPackage(project);
} finally {
  await Deno.remove(project, { recursive: true });
}
