// Checks that no module of the core uses a global that browsers do not have, such as `Deno`, or imports a
// module of Node.
import { readFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { resolve } from "node:path";

// A CommonJS module of the Node project that this program runs in.
const ts = createRequire(import.meta.url)("typescript");

const modules = new Set();

function addModule(path) {
  if (modules.has(path)) return;
  modules.add(path);
  for (const { fileName } of ts.preProcessFile(readFileSync(path, "utf8")).importedFiles) {
    if (isBuiltin(fileName)) throw new Error(`${path} imports ${fileName}`);
    if (fileName.startsWith(".")) addModule(resolve(path, "..", fileName));
  }
}
addModule(resolve("node_modules/@hpcai/rx/mod.js"));

const program = ts.createProgram([...modules], {
  allowJs: true,
  checkJs: true,
  maxNodeModuleJsDepth: 1,
  noEmit: true,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
  module: ts.ModuleKind.NodeNext,
  types: [],
});
/** "Cannot find name 'Deno'", the same with advice, and "Cannot find namespace". */
const UNKNOWN_NAME = [2304, 2503, 2552, 2580, 2581, 2582, 2583, 2584, 2591, 2867, 2868];
const errors = [...modules].flatMap((path) =>
  program.getSemanticDiagnostics(program.getSourceFile(path))
).filter(({ code }) => UNKNOWN_NAME.includes(code));

if (errors.length > 0) throw new Error(ts.formatDiagnostics(errors, ts.createCompilerHost({})));
console.log(`The ${modules.size} modules of the core run in browsers.`);
