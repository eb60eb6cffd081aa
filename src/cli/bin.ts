#!/usr/bin/env node
/** The executable of the npm package, since Node 20 has no `import.meta.main`. */
import process from "node:process";
import { main } from "./mod.ts";

process.exitCode = await main(process.argv.slice(2));
