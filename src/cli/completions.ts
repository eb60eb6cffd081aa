import type { Command } from "commander";
import type { CliHost } from "./host.ts";

export function addCompletionsCommand(_program: Command, _host: CliHost): void {}
