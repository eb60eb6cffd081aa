#!/usr/bin/env node
/** The command as npm installs it: Node 20 does not know `import.meta.main`. */
import process from "node:process";
import { main } from "./mod.ts";

process.exitCode = await main(process.argv.slice(2));
