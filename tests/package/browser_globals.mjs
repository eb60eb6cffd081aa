// Checks that no module that the core entry reaches names a global which browsers lack, such as `Deno`,
// or imports one of Node's modules.
import { readFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { resolve } from "node:path";

// It is CommonJS, and the project's, not this repository's.
const ts = createRequire(import.meta.url)("typescript");

const reached = new Set();

function reach(path) {
  if (reached.has(path)) return;
  reached.add(path);
  for (const { fileName } of ts.preProcessFile(readFileSync(path, "utf8")).importedFiles) {
    if (isBuiltin(fileName)) throw new Error(`${path} imports ${fileName}`);
    if (fileName.startsWith(".")) reach(resolve(path, "..", fileName));
  }
}
reach(resolve("node_modules/@hpcai/rx/mod.js"));

const program = ts.createProgram([...reached], {
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
const unknown = [...reached].flatMap((path) =>
  program.getSemanticDiagnostics(program.getSourceFile(path))
).filter(({ code }) => UNKNOWN_NAME.includes(code));

if (unknown.length > 0) throw new Error(ts.formatDiagnostics(unknown, ts.createCompilerHost({})));
console.log(`The ${reached.size} modules of the core use nothing that browsers lack.`);
