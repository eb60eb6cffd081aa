import { SingleBar } from "cli-progress";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { defer, finalize, type MonoTypeOperatorFunction, Observable, tap } from "rxjs";
import type {
  DownloadPreparingEvent,
  DownloadProgressEvent,
  DownloadRestartEvent,
  DownloadRestartReason,
} from "../download/download_event.ts";
import type { HpcaiError } from "../errors.ts";
import { type CliHost, interruption } from "./host.ts";
import { formatCount, formatRemaining, formatSize } from "./format_value.ts";
import { toPrintable } from "./printable.ts";
import type { Styles } from "./styles.ts";

/** Prompts, progress bars, notes and errors. They go to stderr. */
export class Terminal {
  /** Whether a user can respond to a prompt. */
  readonly isInteractive: boolean;
  readonly #host: CliHost;
  readonly #isQuiet: boolean;
  readonly #hasBars: boolean;
  readonly #styles: Styles;
  #hideBar = () => {};

  constructor(
    host: CliHost,
    { isQuiet, hasBars, styles }: { isQuiet: boolean; hasBars: boolean; styles: Styles },
  ) {
    this.isInteractive = host.stdin.isTTY === true && host.stderr.isTTY === true;
    this.#host = host;
    this.#isQuiet = isQuiet;
    this.#hasBars = hasBars;
    this.#styles = styles;
  }

  /** Shows a note, unless quiet. */
  note(text: string): void {
    if (!this.#isQuiet) this.#writeLine(toPrintable(text));
  }

  /** Shows text of several lines, even when quiet. */
  show(text: string): void {
    this.#writeLine(text);
  }

  /** Shows a line of `--debug`. */
  debug(text: string): void {
    this.#writeLine(`debug: ${toPrintable(text)}`);
  }

  /** Shows a warning. */
  warn(text: string): void {
    this.#writeLine(`${this.#styles.alert("warning:")} ${toPrintable(text)}`);
  }

  /** Shows what failed, and what to do next. */
  fail({ problem, advice }: HpcaiError): void {
    this.#writeLine(`${this.#styles.alert("error:")} ${toPrintable(problem)}`);
    if (advice !== undefined) this.#writeLine(toPrintable(advice));
  }

  /** Prompts for a line and emits it, or `undefined` if the input ends. */
  prompt$(prompt: string, { isHidden = false } = {}): Observable<string | undefined> {
    return new Observable((subscriber) => {
      const { stdin, stderr } = this.#host;
      // In terminal mode readline echoes the input itself, so this discards the echo.
      const discard = new Writable({ write: (_chunk, _encoding, done) => done() });
      const lines = createInterface({
        input: stdin,
        output: isHidden ? discard : stderr,
        terminal: isHidden,
      });
      // The echo of the terminal is off only now.
      stderr.write(prompt);
      let hasLine = false;
      lines.once("line", (line) => {
        hasLine = true;
        if (isHidden) stderr.write("\n");
        subscriber.next(line);
        subscriber.complete();
      });
      lines.once("SIGINT", () => subscriber.error(interruption("SIGINT")));
      lines.once("close", () => {
        if (!hasLine) stderr.write("\n");
        if (subscriber.closed) return;
        subscriber.next(undefined);
        subscriber.complete();
      });
      return () => lines.close();
    });
  }

  /** Shows the progress of a download: a bar, the rate and the time left. */
  showProgress<T extends { readonly type: string }>(label: string): MonoTypeOperatorFunction<T> {
    return this.#showLatest((event) => {
      if (isRestart(event)) {
        this.note(`Restarting from the first byte: ${RESTART_REASONS[event.reason]}.`);
      }
      return isProgress(event) ? this.#formatProgress(label, event) : undefined;
    });
  }

  /** Shows the number of items so far, if the listing takes longer than a second. */
  showCount<T>(noun: string): MonoTypeOperatorFunction<T> {
    return (items$) =>
      defer(() => {
        const startedAt = Date.now();
        let count = 0;
        return items$.pipe(this.#showLatest(() => {
          count++;
          return Date.now() - startedAt < COUNT_DELAY_MS
            ? undefined
            : `Found ${formatCount(count, noun)} …`;
        }));
      });
  }

  /** Shows a line for the latest event until the events complete. */
  #showLatest<T>(formatEvent: (event: T) => string | undefined): MonoTypeOperatorFunction<T> {
    return (events$) => {
      const bar: Bar = new SingleBar({
        stream: this.#host.stderr,
        format: (_options: unknown, _params: unknown, { text }: Payload) => text,
        hideCursor: true,
        gracefulExit: false,
        clearOnComplete: true,
      });
      // A later update shows the bar again, below the other lines.
      const hide = () => bar.stop();
      this.#hideBar = hide;
      return events$.pipe(
        tap({
          next: (event) => {
            const text = formatEvent(event);
            if (!this.#hasBars || text === undefined) return;
            if (bar.isActive) bar.update({ text });
            else bar.start(1, 0, { text });
          },
          complete: hide,
        }),
        finalize(hide),
      );
    };
  }

  #formatProgress(label: string, event: Progress): string {
    if (event.type === "preparing") return `${label}  the server is building the archive …`;
    const { loaded, total, bytesPerSecond, remainingMs } = event;
    const rate = `${formatSize(bytesPerSecond)}/s`;
    if (total === undefined) return `${label}  ${formatSize(loaded)}  ${rate}`;
    const fraction = total === 0 ? 1 : loaded / total;
    const left = remainingMs === undefined ? "" : `  ${formatRemaining(remainingMs)} left`;
    const numbers = `${Math.floor(fraction * 100)} %  ${formatSize(loaded)} of ${
      formatSize(total)
    }  ${rate}${left}`;
    const room = (this.#host.stderr.columns || DEFAULT_COLUMNS) - `${label}    ${numbers}`.length;
    if (room < MIN_BAR_WIDTH) return `${label}  ${numbers}`;
    const width = Math.min(BAR_WIDTH, room);
    const filled = Math.floor(fraction * width);
    const completed = this.#styles.accent("█".repeat(filled));
    return `${label}  ${completed}${"░".repeat(width - filled)}  ${numbers}`;
  }

  #writeLine(text: string): void {
    this.#hideBar();
    this.#host.stderr.write(`${text}\n`);
  }
}

/** The bar is shortened, or left out, so that the numbers fit the terminal. */
const BAR_WIDTH = 20;
const MIN_BAR_WIDTH = 5;

/** The width of a terminal that does not report it. */
const DEFAULT_COLUMNS = 80;

/** How long a listing takes before its count is shown, in milliseconds. */
const COUNT_DELAY_MS = 1_000;

/** The members of a bar that are used; cli-progress has no types. */
interface Bar {
  readonly isActive: boolean;
  start(total: number, value: number, payload: Payload): void;
  update(payload: Payload): void;
  stop(): void;
}

interface Payload {
  readonly text: string;
}

/** Why a download restarts, as clauses. */
const RESTART_REASONS: Readonly<Record<DownloadRestartReason, string>> = {
  "not-resumable": "the server cannot resume an interrupted download",
  "archive-changed": "the archive on the server has changed",
  "archive-damaged": "the archive was damaged in transit",
};

type Progress = DownloadPreparingEvent | DownloadProgressEvent;

function isProgress(event: { readonly type: string }): event is Progress {
  return event.type === "progress" || event.type === "preparing";
}

function isRestart(event: { readonly type: string }): event is DownloadRestartEvent {
  return event.type === "restart";
}
