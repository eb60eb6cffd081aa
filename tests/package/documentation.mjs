// Checks that the declarations of the npm package document every export and every member.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// A CommonJS module of the Node project that this program runs in.
const ts = createRequire(import.meta.url)("typescript");

const directory = "node_modules/@hpcai/rx";
const { exports } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
const entries = Object.values(exports).map(({ types }) => `${directory}/${types}`);
const program = ts.createProgram(entries, { module: ts.ModuleKind.NodeNext, strict: true });
const checker = program.getTypeChecker();

const undocumented = [];
let documentedCount = 0;

function check(name, symbol) {
  if (symbol.getDocumentationComment(checker).length === 0) undocumented.push(name);
  else documentedCount++;
}

for (const path of entries) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(path));
  if (module === undefined) continue; // a program without exports
  for (const exported of checker.getExportsOfModule(module)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias
      ? checker.getAliasedSymbol(exported)
      : exported;
    check(symbol.name, symbol);
    for (const member of [...symbol.members?.values() ?? [], ...symbol.exports?.values() ?? []]) {
      if (member.declarations?.some(isDocumentable)) check(`${symbol.name}.${member.name}`, member);
    }
  }
}

function isDocumentable(node) {
  return ts.isClassElement(node) || ts.isTypeElement(node);
}

if (undocumented.length > 0) throw new Error(`Not documented: ${undocumented.join(", ")}`);
console.log(`The declarations document all ${documentedCount} exports and members.`);
