// `in_process.mjs <base URL> <directory>`: runs the scenario in Deno, Node or Bun.
import { extractArchive$, fileSink, saveArchive$ } from "@hpcai/rx/fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { runScenario } from "./scenario.mjs";

const [baseUrl, directory] = process.argv.slice(2);
const disk = { directory, extractArchive$, fileSink, saveArchive$, readFile };
console.log(JSON.stringify(await runScenario(baseUrl, { disk })));
