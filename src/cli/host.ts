import type { Readable, Writable } from "node:stream";
import { fromEventPattern, map, merge, type MonoTypeOperatorFunction, takeUntil } from "rxjs";
import { EXIT_CODES, Failure } from "./failure.ts";

/** The signals that stop a command. */
export type StopSignal = "SIGINT" | "SIGTERM";

/** What the command line runs in: Node's `process`, or what a test puts in its place. */
export interface CliHost {
  /** The environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where answers to questions come from. */
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  /** Where results go. */
  readonly stdout: Writable & { readonly isTTY?: boolean | undefined };
  /** Where questions, bars, notes and errors go. */
  readonly stderr: Writable & {
    readonly isTTY?: boolean | undefined;
    readonly columns?: number | undefined;
  };
  /** Begins to tell a listener of a signal. */
  addListener(signal: StopSignal, listener: () => void): unknown;
  /** Stops telling a listener of a signal. */
  removeListener(signal: StopSignal, listener: () => void): unknown;
}

/** Writes, and settles once the stream has taken it, so that a slow reader holds the writer up. */
export function write(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => error ? reject(error) : resolve());
  });
}

/** Why a command was stopped. */
export function interruption(signal: StopSignal, advice: string): Failure {
  const exitCode = signal === "SIGINT" ? EXIT_CODES.interrupted : EXIT_CODES.terminated;
  return new Failure("Interrupted.", advice, exitCode);
}

/** Unsubscribes, and fails with the {@linkcode interruption}, at Ctrl-C and when asked to end. */
export function untilInterrupted<T>(host: CliHost, advice: string): MonoTypeOperatorFunction<T> {
  const signals: StopSignal[] = ["SIGINT", "SIGTERM"];
  const interrupted$ = merge(...signals.map((signal) =>
    fromEventPattern(
      (listener) => host.addListener(signal, listener),
      (listener) => host.removeListener(signal, listener),
    ).pipe(
      map((): never => {
        throw interruption(signal, advice);
      }),
    )
  ));
  return takeUntil(interrupted$);
}
