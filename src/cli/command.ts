import type { Command } from "commander";
import { concatMap, defer, lastValueFrom, map, type Observable } from "rxjs";
import { loadModule } from "../load_module.ts";
import { RestClient } from "../rest_client.ts";
import { apiKey$ } from "./api_key.ts";
import { timeoutFirstResponse } from "./first_response_timeout.ts";
import { type CliHost, failOnSignal } from "./host.ts";
import { type Format, Output } from "./output.ts";
import { logRequests } from "./request_log.ts";
import { createStyles } from "./styles.ts";
import { Terminal } from "./terminal.ts";

/** The options that every command accepts. */
export interface GlobalOptions {
  readonly format: Format;
  readonly color: boolean;
  readonly quiet?: true;
  readonly debug?: true;
  readonly demo?: true;
  readonly apiKeyFile?: string;
  readonly baseUrl?: string;
}

/** One execution of a command: the client that it uses, and its input and output. */
export interface CommandSession {
  readonly client: RestClient;
  readonly format: Format;
  readonly host: CliHost;
  readonly output: Output;
  readonly terminal: Terminal;
}

/**
 * Makes the action of a command from a function that returns its work.
 *
 * `interruptionAdvice` is shown if the user interrupts the command.
 */
export type CreateAction = <A extends unknown[]>(
  work: (session: CommandSession, ...args: A) => Observable<unknown>,
  interruptionAdvice?: string,
) => (this: Command, ...args: A) => Promise<void>;

/** Returns a function that makes actions, which run until the work completes or is interrupted. */
export function createActions(host: CliHost): CreateAction {
  return (work, interruptionAdvice) =>
    async function (...args) {
      const options = this.optsWithGlobals<GlobalOptions>();
      const { format, debug = false } = options;
      const terminal = createTerminal(host, options);
      const { stdout } = host;
      const output = new Output(stdout, format, createStyles(isColored(host, stdout, options)));
      const work$ = client$(host, options, terminal).pipe(
        concatMap((client) => {
          logRequests(client, terminal, debug);
          return work({ client, format, host, output, terminal }, ...args).pipe(
            timeoutFirstResponse(client),
          );
        }),
        failOnSignal(host, interruptionAdvice),
      );
      await lastValueFrom(work$, { defaultValue: undefined });
    };
}

/** Makes the terminal for these options. */
export function createTerminal(host: CliHost, options: Partial<GlobalOptions>): Terminal {
  const isQuiet = options.quiet === true;
  // Lines of JSON on the same terminal show the progress themselves.
  const hasLines = options.format === "jsonl" && host.stdout.isTTY === true;
  return new Terminal(host, {
    isQuiet,
    hasBars: !isQuiet && !hasLines,
    styles: createStyles(isColored(host, host.stderr, options)),
  });
}

function isColored(
  { env }: CliHost,
  stream: CliHost["stdout"],
  { color }: Partial<GlobalOptions>,
): boolean {
  // Any value but the empty one counts (no-color.org).
  return stream.isTTY === true && color !== false && !env["NO_COLOR"] && env["TERM"] !== "dumb";
}

function client$(
  host: CliHost,
  options: GlobalOptions,
  terminal: Terminal,
): Observable<RestClient> {
  if (options.demo) {
    return defer(() => loadModule(() => import("./demo.ts"))).pipe(
      map(({ createDemoClient }) => createDemoClient(host)),
    );
  }
  return apiKey$(host, options.apiKeyFile, terminal).pipe(
    map((apiKey) =>
      new RestClient({ apiKey, baseUrl: options.baseUrl ?? host.env["HPCAI_BASE_URL"] })
    ),
  );
}
