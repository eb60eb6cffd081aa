import { Command, Option } from "commander";
import { addCheckpointCommands } from "./checkpoint_commands.ts";
import { actionIn } from "./command.ts";
import { addCompletionsCommand } from "./completions.ts";
import type { CliHost } from "./host.ts";
import { FORMATS } from "./output.ts";
import { addRunCommands } from "./run_commands.ts";
import { printableLines } from "./text.ts";
import { VERSION } from "./version.ts";

const EPILOGUE = `
The API key comes from HPCAI_API_KEY, from --api-key-file, or from a question on the terminal.

Exit codes: 0 success, 1 failure, 2 wrong usage, 3 authentication, 4 not found, 5 network,
130 interrupted.`;

/** Makes the tree of commands. */
export function createProgram(host: CliHost): Command {
  const program = new Command("hpcai-rx")
    .description("Training runs and checkpoints of HPC-AI, on the command line.")
    .version(VERSION, "-V, --version")
    .addOption(
      new Option("--format <format>", "how results are written").choices(FORMATS).default("table"),
    )
    .option("-q, --quiet", "no bars, no notes")
    .option("--no-color", "no colours; so does NO_COLOR in the environment")
    .option("--api-key-file <file>", "read the API key from a file")
    .option("--base-url <url>", "where the API is; so does HPCAI_BASE_URL in the environment")
    .option("--debug", "show requests, and all that is known of an error")
    .option("--demo", "use an embedded API with made-up data, without a key")
    .addHelpText("after", EPILOGUE)
    .showHelpAfterError("See --help.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => host.stderr.write(printableLines(text)),
    });
  const action = actionIn(host);
  addRunCommands(program, action);
  addCheckpointCommands(program, action);
  addCompletionsCommand(program, host);
  return program;
}
