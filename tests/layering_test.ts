import { assertEquals } from "@std/assert";

/**
 * The layers of the package from top to bottom. A module imports modules of its own layer and of those
 * below it. A name that ends in "/" stands for all modules of a folder.
 */
const LAYERS: readonly (readonly string[])[] = [
  ["mod.ts"],
  ["src/cli/"],
  ["src/angular/"],
  ["src/browser/"],
  ["src/proxy/"],
  ["src/fs/"],
  ["src/rest_client.ts"],
  ["src/download/"],
  ["src/listing/"],
  ["src/transport/"],
  ["src/wire.ts"],
  ["src/checkpoint_path.ts"],
  ["src/client_settings.ts", "src/environment.ts", "src/load_module.ts"],
  ["src/options.ts", "src/arguments.ts", "src/json.ts", "src/types.ts", "src/errors.ts"],
  ["src/testing/"],
];

const ROOT = new URL("../", import.meta.url);

/** The imports of each module: paths from the root of the repository, or names such as `node:fs`. */
type ImportGraph = ReadonlyMap<string, readonly string[]>;

function layerOf(module: string): number {
  return LAYERS.findIndex((names) =>
    names.some((name) => name.endsWith("/") ? module.startsWith(name) : module === name)
  );
}

/** Lists the imports that point up, and the modules that belong to no layer. */
function findViolations(graph: ImportGraph): string[] {
  const unplaced = [...graph.keys()]
    .filter((module) => layerOf(module) < 0)
    .map((module) => `${module} belongs to no layer`);
  const upward = [...graph].flatMap(([module, imports]) =>
    imports
      .filter((imported) => graph.has(imported) && layerOf(imported) < layerOf(module))
      .map((imported) => `${module} imports ${imported}, which is above it`)
  );
  return [...unplaced, ...upward];
}

/** Collects all modules that a module imports, directly or through others, on demand too. */
function collectImports(
  graph: ImportGraph,
  module: string,
  found = new Set<string>(),
): Set<string> {
  for (const imported of graph.get(module) ?? []) {
    if (found.has(imported)) continue;
    found.add(imported);
    collectImports(graph, imported, found);
  }
  return found;
}

/** The parts of a module that are not re-exports, comments or white space. */
function findOwnCode(source: string): string {
  const reexport = /export (?:type )?(?:\{[^}]*\}|\*(?: as \w+)?) from "[^"]+";/g;
  return source.replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "").replaceAll(reexport, "").trim();
}

function sourcesIn(directory: string): string[] {
  return [...Deno.readDirSync(new URL(directory, ROOT))].flatMap(({ name, isDirectory }) =>
    isDirectory ? sourcesIn(`${directory}${name}/`) : [`${directory}${name}`]
  );
}

/** The part of the output of `deno info --json` that this test reads. */
interface ModuleInfo {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/** Reads the static, dynamic and type imports of mod.ts and all of src/. */
async function readImportGraph(): Promise<ImportGraph> {
  const sources = ["mod.ts", ...sourcesIn("src/")];
  const root = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const imports = sources.map((path) => `import "${new URL(path, ROOT)}";\n`);
    await Deno.writeTextFile(root, imports.join(""));
    const info = new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--no-lock", "--config=deno.json", root],
      cwd: ROOT,
    });
    const { modules }: ModuleInfo = JSON.parse(
      new TextDecoder().decode((await info.output()).stdout),
    );
    const toPath = (specifier: string) => specifier.replace(ROOT.href, "");
    return new Map(
      modules.filter(({ specifier }) => specifier.startsWith(ROOT.href)).map((module) => {
        if (module.error !== undefined) throw new Error(module.error);
        const targets = (module.dependencies ?? [])
          .flatMap(({ code, type }) => [code?.specifier, type?.specifier])
          .filter((specifier) => specifier !== undefined);
        return [toPath(module.specifier), targets.map(toPath)];
      }),
    );
  } finally {
    await Deno.remove(root);
  }
}

const graph = await readImportGraph();

Deno.test("mod.ts and src/ import only from their own layer and those below", () => {
  assertEquals([...graph.keys()].toSorted(), ["mod.ts", ...sourcesIn("src/")].toSorted());
  assertEquals(findViolations(graph), []);
});

Deno.test("mod.ts imports neither a module of Node nor the fake API, directly or through others", () => {
  const imports = [...collectImports(graph, "mod.ts")];
  assertEquals(imports.filter((name) => /^node:|^src\/testing\//.test(name)), []);
  assertEquals(imports.includes("src/rest_client.ts"), true);
});

Deno.test("mod.ts consists of re-exports", async () => {
  assertEquals(findOwnCode(await Deno.readTextFile(new URL("mod.ts", ROOT))), "");
});

Deno.test("findViolations reports imports of a layer above", () => {
  const upwardGraph = new Map([
    ["src/rest_client.ts", ["src/wire.ts", "rxjs"]],
    ["src/wire.ts", ["src/types.ts", "src/rest_client.ts"]],
    ["src/types.ts", []],
    ["src/testing/mod.ts", ["src/types.ts"]],
  ]);
  assertEquals(findViolations(upwardGraph), [
    "src/wire.ts imports src/rest_client.ts, which is above it",
    "src/testing/mod.ts imports src/types.ts, which is above it",
  ]);
});

Deno.test("findViolations reports a module outside the layers", () => {
  assertEquals(findViolations(new Map([["src/utils.ts", []]])), [
    "src/utils.ts belongs to no layer",
  ]);
});

Deno.test("findOwnCode returns a declaration, without comments and re-exports", () => {
  const source = `/** Documentation. */\nexport { a } from "./src/a.ts";\nexport const b = 1;\n`;
  assertEquals(findOwnCode(source), "export const b = 1;");
});
