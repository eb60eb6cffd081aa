import type { Readable, Writable } from "node:stream";
import { fromEventPattern, map, merge, type MonoTypeOperatorFunction, takeUntil } from "rxjs";
import { EXIT_CODES, Failure } from "./failure.ts";

/** The signals that stop a command. */
export type StopSignal = "SIGINT" | "SIGTERM";

/** The process that the command runs in: Node's `process`, or a replacement in tests. */
export interface CliHost {
  /** The environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The input for prompts. */
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  /** The output for results. */
  readonly stdout: Writable & { readonly isTTY?: boolean | undefined };
  /** The output for prompts, progress bars, notes and errors. */
  readonly stderr: Writable & {
    readonly isTTY?: boolean | undefined;
    readonly columns?: number | undefined;
  };
  /** Calls the listener on each of these signals. */
  addListener(signal: StopSignal, listener: () => void): unknown;
  /** Removes the listener. */
  removeListener(signal: StopSignal, listener: () => void): unknown;
}

/** Writes a chunk, and resolves once the stream has handled it, for backpressure. */
export function write(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => error ? reject(error) : resolve());
  });
}

/** Makes the failure of a command that a signal stops. */
export function interruption(signal: StopSignal, advice?: string): Failure {
  const exitCode = signal === "SIGINT" ? EXIT_CODES.interrupted : EXIT_CODES.terminated;
  return new Failure("Interrupted", exitCode, { advice });
}

/** Unsubscribes on Ctrl-C and SIGTERM, and fails with an {@linkcode interruption}. */
export function failOnSignal<T>(host: CliHost, advice?: string): MonoTypeOperatorFunction<T> {
  const signals: StopSignal[] = ["SIGINT", "SIGTERM"];
  const interruption$ = merge(...signals.map((signal) =>
    fromEventPattern(
      (listener) => host.addListener(signal, listener),
      (listener) => host.removeListener(signal, listener),
    ).pipe(
      map((): never => {
        throw interruption(signal, advice);
      }),
    )
  ));
  return takeUntil(interruption$);
}
