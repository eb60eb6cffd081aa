import { Command, Option } from "commander";
import { addCheckpointCommands } from "./checkpoint_commands.ts";
import { createActions } from "./command.ts";
import { addCompletionsCommand } from "./completions.ts";
import type { CliHost } from "./host.ts";
import { FORMATS } from "./output.ts";
import { addRunCommands } from "./run_commands.ts";
import { toPrintableLines } from "./printable.ts";
import { VERSION } from "./version.ts";

const EPILOGUE = `
The API key is read from HPCAI_API_KEY, from --api-key-file, or from a prompt on the terminal.

Exit codes: 0 success, 1 failure, 2 usage error, 3 authentication, 4 not found, 5 network,
130 interrupted, 143 terminated.`;

/** Makes the program with all commands. */
export function createProgram(host: CliHost): Command {
  const program = new Command("hpcai-rx")
    .description("List, download and delete training runs and checkpoints of HPC-AI.")
    .version(VERSION, "-V, --version")
    .addOption(
      new Option("--format <format>", "output format").choices(FORMATS).default("table"),
    )
    .option("-q, --quiet", "hide progress bars and notes")
    .option("--no-color", "disable colors (or set NO_COLOR)")
    .option("--api-key-file <file>", "file that contains the API key")
    .option("--base-url <url>", "base URL of the API (or set HPCAI_BASE_URL)")
    .option("--debug", "show each request, and the details of errors")
    .option("--demo", "use an embedded API with sample data; needs no key")
    .addHelpText("after", EPILOGUE)
    .showHelpAfterError("See --help.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => host.stderr.write(toPrintableLines(text)),
    });
  const action = createActions(host);
  addRunCommands(program, action);
  addCheckpointCommands(program, action);
  addCompletionsCommand(program, host);
  return program;
}
