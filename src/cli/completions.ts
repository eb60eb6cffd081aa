import { Argument, type Command } from "commander";
import { type CliHost, write } from "./host.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** The words that can follow a command, such as `list` and `info` after `run`. */
interface CommandWords {
  readonly command: string;
  readonly words: readonly { readonly text: string; readonly description: string }[];
}

/** Adds `completions`, which prints a script that completes commands in a shell. */
export function addCompletionsCommand(program: Command, host: CliHost): void {
  program.command("completions")
    .description("Print a shell script that completes commands and options.")
    .addArgument(new Argument("<shell>", "shell to print the script for").choices(SHELLS))
    .addHelpText(
      "after",
      `
bash, zsh:  source <(hpcai-rx completions bash)
fish:       hpcai-rx completions fish | source`,
    )
    .action((shell: typeof SHELLS[number]) =>
      write(host.stdout, SCRIPTS[shell](program.name(), wordsOfCommands(program)))
    );
}

/** Returns the words that can follow each command; the program's own options follow every command. */
function wordsOfCommands(program: Command, command = program, name = ""): CommandWords[] {
  const options = command === program ? program.options : [...command.options, ...program.options];
  const words = [
    ...command.commands.map((sub) => ({ text: sub.name(), description: sub.description() })),
    ...command.registeredArguments.flatMap(({ argChoices = [], description }) =>
      argChoices.map((text) => ({ text, description }))
    ),
    ...options.map(({ long, description }) => ({ text: long ?? "", description })),
    { text: "--help", description: "show help" },
  ];
  return [
    { command: name, words },
    ...command.commands.flatMap((sub) =>
      wordsOfCommands(program, sub, name === "" ? sub.name() : `${name} ${sub.name()}`)
    ),
  ];
}

/** Makes a function that finds the command in the words so far, and offers the words that can follow it. */
function bashScript(program: string, all: readonly CommandWords[]): string {
  const name = `_${program.replaceAll("-", "_")}`;
  const cases = all.map(({ command, words }) =>
    `    "${command}") candidates="${words.map(({ text }) => text).join(" ")}" ;;`
  );
  return `${name}() {
  local at="" word candidates
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
    case "\${at:+$at }$word" in
      ${quoteCommands(all).join(" | ")}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F ${name} ${program}
`;
}

/** Makes the script for zsh, which runs that for bash. */
function zshScript(program: string, all: readonly CommandWords[]): string {
  return `autoload -U +X compinit bashcompinit && compinit && bashcompinit\n${
    bashScript(program, all)
  }`;
}

function fishScript(program: string, all: readonly CommandWords[]): string {
  const name = `__${program.replaceAll("-", "_")}_at`;
  const completions = all.flatMap(({ command, words }) =>
    words.map(({ text, description }) =>
      `complete -c ${program} -n 'test "$(${name})" = "${command}"' -a '${text}' ` +
      `-d '${description.replaceAll("'", "\\'")}'`
    )
  );
  return `function ${name}
  set -l at
  for word in (commandline -opc)[2..]
    contains -- "$at$word" ${quoteCommands(all).join(" ")}; and set at "$at$word "
  end
  string trim -- "$at"
end
${completions.join("\n")}
`;
}

function quoteCommands(all: readonly CommandWords[]): string[] {
  return all.flatMap(({ command }) => command === "" ? [] : [`"${command}"`]);
}

const SCRIPTS: Readonly<Record<typeof SHELLS[number], typeof bashScript>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};
