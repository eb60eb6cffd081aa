import type { Command } from "commander";
import { concatMap, defer, lastValueFrom, map, type Observable } from "rxjs";
import { RestClient } from "../rest_client.ts";
import type { ClientEvent } from "../transport/client_event.ts";
import { apiKey$ } from "./api_key.ts";
import { explain, toFailure } from "./failure.ts";
import { requireFirstResponse } from "./first_response.ts";
import { type CliHost, untilInterrupted } from "./host.ts";
import { type Format, Output } from "./output.ts";
import { Terminal } from "./terminal.ts";
import { paint } from "./text.ts";

/** The options that every command takes. */
export interface GlobalOptions {
  readonly format: Format;
  readonly color: boolean;
  readonly quiet?: true;
  readonly debug?: true;
  readonly demo?: true;
  readonly apiKeyFile?: string;
  readonly baseUrl?: string;
}

/** What a command works with. */
export interface CommandContext {
  readonly client: RestClient;
  readonly format: Format;
  readonly host: CliHost;
  readonly output: Output;
  readonly terminal: Terminal;
}

/** Makes the action of a command. */
export type Action = <A extends unknown[]>(
  work: (context: CommandContext, ...args: A) => Observable<unknown>,
  advice?: string,
) => (this: Command, ...args: A) => Promise<void>;

/** Makes actions that do their work until it is done or interrupted. */
export function actionIn(host: CliHost): Action {
  return (work, advice = "") =>
    async function (...args) {
      const options = this.optsWithGlobals<GlobalOptions>();
      const terminal = terminalOf(host, options);
      const { stdout } = host;
      const output = new Output(stdout, options.format, paint(isColored(host, stdout, options)));
      const work$ = client$(host, options, terminal).pipe(
        concatMap((client) => {
          follow(client, terminal, options);
          const { format } = options;
          return work({ client, format, host, output, terminal }, ...args).pipe(
            requireFirstResponse(client),
          );
        }),
        untilInterrupted(host, advice),
      );
      await lastValueFrom(work$, { defaultValue: undefined });
    };
}

/** The terminal as the options have it. */
export function terminalOf(host: CliHost, options: Partial<GlobalOptions>): Terminal {
  const isQuiet = options.quiet === true;
  // Lines that come by themselves on the same terminal show the same.
  const hasLines = options.format === "jsonl" && host.stdout.isTTY === true;
  return new Terminal(host, {
    isQuiet,
    hasBars: !isQuiet && !hasLines,
    paint: paint(isColored(host, host.stderr, options)),
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
    return defer(() => import("./demo.ts")).pipe(map(({ demoClient }) => demoClient(host)));
  }
  return apiKey$(host, options.apiKeyFile, terminal).pipe(
    map((apiKey) =>
      new RestClient({ apiKey, baseUrl: options.baseUrl ?? host.env["HPCAI_BASE_URL"] })
    ),
  );
}

/** Says that something is tried again; with --debug, all that happens to requests. */
function follow({ events$ }: RestClient, terminal: Terminal, { debug }: GlobalOptions): void {
  events$.subscribe((event) => {
    if (debug) {
      terminal.debug(describe(event));
    } else if (event.type === "retry") {
      const seconds = (event.delayMs / 1000).toFixed(1);
      terminal.note(`${toFailure(event.error).message}; trying again in ${seconds} s.`);
    }
  });
}

function describe(event: ClientEvent): string {
  const { type, requestId, method, url, attempt } = event;
  const request = `${type} ${requestId}.${attempt} ${method} ${url}`;
  switch (event.type) {
    case "response":
      return `${request} ${event.status} ${Math.round(event.durationMs)} ms`;
    case "retry":
      return `${request} in ${Math.round(event.delayMs)} ms, after ${explain(event.error)[0]}`;
    case "failure":
      return `${request} ${explain(event.error)[0]}`;
    default:
      return request;
  }
}
