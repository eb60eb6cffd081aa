// Writes the public API of each entry of the package into the given directory, one text an entry:
// declarations in alphabetical order, without documentation and without private members.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, resolve } from "node:path";

// A dependency of the Node project that this program runs in, not of this repository.
const { Extractor, ExtractorConfig } = createRequire(import.meta.url)("@microsoft/api-extractor");

// The package before its installation: API Extractor treats all of node_modules as external.
const PACKAGE = resolve("package");
const REPORTS = resolve("reports");
const SILENT = { default: { logLevel: "none" } };

/** API Extractor's report: Markdown with one block of declarations. */
function report(types) {
  const entryPoint = `${PACKAGE}/${types}`;
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: PACKAGE,
      mainEntryPointFilePath: entryPoint,
      newlineKind: "lf",
      compiler: {
        overrideTsconfig: {
          compilerOptions: { strict: true, module: "nodenext", types: ["node"] },
          files: [entryPoint],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: "report",
        reportFolder: REPORTS,
        reportTempFolder: REPORTS,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      // Other gates check the types and the documentation.
      messages: {
        compilerMessageReporting: SILENT,
        extractorMessageReporting: SILENT,
        tsdocMessageReporting: SILENT,
      },
    },
    packageJsonFullPath: `${PACKAGE}/package.json`,
  });
  Extractor.invoke(config, {
    localBuild: true,
    messageCallback: (message) => message.handled = true,
  });
  return readFileSync(`${REPORTS}/report.api.md`, "utf8");
}

/** The declarations of a report, without release tags, and without comments on parts of a type. */
function declarations(markdown) {
  const [, code] = /^```ts$([^]*)^```$/m.exec(markdown) ?? [];
  if (code === undefined) throw new Error("API Extractor's report has no code block");
  return code.replaceAll(/^\/\/ (@public|\(No @packageDocumentation).*\n|\/\*\*[^]*?\*\/ /gm, "")
    .trim();
}

const [directory] = process.argv.slice(2);
mkdirSync(REPORTS);
const { name, exports } = JSON.parse(readFileSync(`${PACKAGE}/package.json`, "utf8"));
for (const [entry, { types }] of Object.entries(exports)) {
  const title = `// ${name}${entry.slice(1)}: written by \`deno task api\``;
  const file = entry === "." ? "mod" : basename(entry);
  writeFileSync(`${directory}/${file}.txt`, `${title}\n\n${declarations(report(types))}\n`);
}
