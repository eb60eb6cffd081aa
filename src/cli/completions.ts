import { Argument, type Command } from "commander";
import { type CliHost, write } from "./host.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** What can follow one of the commands, such as `list` and `info` after `run`. */
interface Following {
  readonly command: string;
  readonly words: readonly { readonly text: string; readonly description: string }[];
}

/** Adds `completions`, which prints a script that a shell runs at its start. */
export function addCompletionsCommand(program: Command, host: CliHost): void {
  program.command("completions")
    .description("Print a script that completes commands and options.")
    .addArgument(new Argument("<shell>", "whose script").choices(SHELLS))
    .addHelpText(
      "after",
      `
bash, zsh:  source <(hpcai-rx completions bash)
fish:       hpcai-rx completions fish | source`,
    )
    .action((shell: typeof SHELLS[number]) =>
      write(host.stdout, SCRIPTS[shell](program.name(), followingOf(program)))
    );
}

/** Finds what can follow each command; the program's own options follow them all. */
function followingOf(program: Command, command = program, name = ""): Following[] {
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
      followingOf(program, sub, name === "" ? sub.name() : `${name} ${sub.name()}`)
    ),
  ];
}

/** Goes through the words so far, takes those that are commands, and offers what follows them. */
function bash(program: string, all: readonly Following[]): string {
  const name = `_${program.replaceAll("-", "_")}`;
  const cases = all.map(({ command, words }) =>
    `    "${command}") offers="${words.map(({ text }) => text).join(" ")}" ;;`
  );
  return `${name}() {
  local at="" word offers
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
    case "\${at:+$at }$word" in
      ${commandsOf(all).join(" | ")}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$offers" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F ${name} ${program}
`;
}

/** zsh runs bash's. */
function zsh(program: string, all: readonly Following[]): string {
  return `autoload -U +X compinit bashcompinit && compinit && bashcompinit\n${bash(program, all)}`;
}

function fish(program: string, all: readonly Following[]): string {
  const name = `__${program.replaceAll("-", "_")}_at`;
  const offers = all.flatMap(({ command, words }) =>
    words.map(({ text, description }) =>
      `complete -c ${program} -n 'test "$(${name})" = "${command}"' -a '${text}' ` +
      `-d '${description.replaceAll("'", "\\'")}'`
    )
  );
  return `function ${name}
  set -l at
  for word in (commandline -opc)[2..]
    contains -- "$at$word" ${commandsOf(all).join(" ")}; and set at "$at$word "
  end
  string trim -- "$at"
end
${offers.join("\n")}
`;
}

function commandsOf(all: readonly Following[]): string[] {
  return all.flatMap(({ command }) => command === "" ? [] : [`"${command}"`]);
}

const SCRIPTS: Readonly<Record<typeof SHELLS[number], typeof bash>> = { bash, zsh, fish };
