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
import { type CliHost, interruption } from "./host.ts";
import { count, type Paint, printable, size, timeLeft } from "./text.ts";

/** What people see and answer besides the results. It goes to stderr. */
export class Terminal {
  /** Whether there is somebody to ask. */
  readonly isInteractive: boolean;
  readonly #host: CliHost;
  readonly #isQuiet: boolean;
  readonly #hasBars: boolean;
  readonly #paint: Paint;
  #hideBar = () => {};

  constructor(
    host: CliHost,
    { isQuiet, hasBars, paint }: { isQuiet: boolean; hasBars: boolean; paint: Paint },
  ) {
    this.isInteractive = host.stdin.isTTY === true && host.stderr.isTTY === true;
    this.#host = host;
    this.#isQuiet = isQuiet;
    this.#hasBars = hasBars;
    this.#paint = paint;
  }

  /** Says something that is good to know. */
  note(text: string): void {
    if (!this.#isQuiet) this.#line(printable(text));
  }

  /** Shows what a question is about, of several lines, even where all is to be quiet. */
  show(text: string): void {
    this.#line(text);
  }

  /** Says what only --debug wants to know. */
  debug(text: string): void {
    this.#line(`debug: ${printable(text)}`);
  }

  /** Says what could do harm. */
  warn(text: string): void {
    this.#line(`${this.#paint.alert("warning:")} ${printable(text)}`);
  }

  /** Says what went wrong, and what to do. */
  fail(text: string, advice: string): void {
    this.#line(`${this.#paint.alert("error:")} ${printable(text)}`);
    if (advice !== "") this.#line(printable(advice));
  }

  /** Asks, and emits the answer; `undefined` where the input ends instead. */
  ask$(question: string, { isHidden = false } = {}): Observable<string | undefined> {
    return new Observable((subscriber) => {
      const { stdin, stderr } = this.#host;
      // As a terminal, readline takes the keys one by one and does the echo: into nothing.
      const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
      const lines = createInterface({
        input: stdin,
        output: isHidden ? silent : stderr,
        terminal: isHidden,
      });
      // Not before there is no echo any more.
      stderr.write(question);
      let isAnswered = false;
      lines.once("line", (answer) => {
        isAnswered = true;
        if (isHidden) stderr.write("\n");
        subscriber.next(answer);
        subscriber.complete();
      });
      lines.once("SIGINT", () => subscriber.error(interruption("SIGINT", "")));
      lines.once("close", () => {
        if (!isAnswered) stderr.write("\n");
        if (subscriber.closed) return;
        subscriber.next(undefined);
        subscriber.complete();
      });
      return () => lines.close();
    });
  }

  /** Shows how far a download is: a bar, rate and time left. */
  bar<T extends { readonly type: string }>(label: string): MonoTypeOperatorFunction<T> {
    return this.#live((event) => {
      if (isRestart(event)) this.note(`Restarting from the first byte: ${RESTARTS[event.reason]}.`);
      return isProgress(event) ? this.#barLine(label, event) : undefined;
    });
  }

  /** Counts what is found, where finding it takes a while. */
  counter<T>(noun: string): MonoTypeOperatorFunction<T> {
    return (items$) =>
      defer(() => {
        const begun = Date.now();
        let found = 0;
        return items$.pipe(this.#live(() => {
          found++;
          return Date.now() - begun < PATIENCE_MS ? undefined : `Found ${count(found, noun)} …`;
        }));
      });
  }

  /** Shows a line for the latest event for as long as events come. */
  #live<T>(line: (event: T) => string | undefined): MonoTypeOperatorFunction<T> {
    return (events$) => {
      const bar: Bar = new SingleBar({
        stream: this.#host.stderr,
        format: (_options: unknown, _params: unknown, { text }: Payload) => text,
        hideCursor: true,
        gracefulExit: false,
        clearOnComplete: true,
      });
      // It begins anew, below what was said meanwhile.
      const hide = () => bar.stop();
      this.#hideBar = hide;
      return events$.pipe(
        tap({
          next: (event) => {
            const text = line(event);
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

  #barLine(label: string, event: Progress): string {
    if (event.type === "preparing") return `${label}  the server builds the archive …`;
    const { loaded, total, bytesPerSecond, remainingMs } = event;
    const rate = `${size(bytesPerSecond)}/s`;
    if (total === undefined) return `${label}  ${size(loaded)}  ${rate}`;
    const fraction = total === 0 ? 1 : loaded / total;
    const left = remainingMs === undefined ? "" : `  ${timeLeft(remainingMs)} left`;
    const facts = `${Math.floor(fraction * 100)} %  ${size(loaded)} of ${
      size(total)
    }  ${rate}${left}`;
    const room = (this.#host.stderr.columns || DEFAULT_COLUMNS) - `${label}    ${facts}`.length;
    if (room < MIN_BAR_WIDTH) return `${label}  ${facts}`;
    const width = Math.min(BAR_WIDTH, room);
    const full = Math.floor(fraction * width);
    const done = this.#paint.accent("█".repeat(full));
    return `${label}  ${done}${"░".repeat(width - full)}  ${facts}`;
  }

  #line(text: string): void {
    this.#hideBar();
    this.#host.stderr.write(`${text}\n`);
  }
}

/** The bar gives way to the facts, which a terminal would cut off. */
const BAR_WIDTH = 20;
const MIN_BAR_WIDTH = 5;

/** How wide a terminal is that does not say. */
const DEFAULT_COLUMNS = 80;

/** How long nobody minds that nothing is shown, in milliseconds. */
const PATIENCE_MS = 1_000;

/** What is used of a bar; cli-progress has no types of its own. */
interface Bar {
  readonly isActive: boolean;
  start(total: number, value: number, payload: Payload): void;
  update(payload: Payload): void;
  stop(): void;
}

interface Payload {
  readonly text: string;
}

/** Why a download restarts, in words. */
const RESTARTS: Readonly<Record<DownloadRestartReason, string>> = {
  "not-resumable": "the server cannot resume an interrupted download",
  "archive-changed": "the server has another archive now",
  "archive-damaged": "what was received was no right archive",
};

type Progress = DownloadPreparingEvent | DownloadProgressEvent;

function isProgress(event: { readonly type: string }): event is Progress {
  return event.type === "progress" || event.type === "preparing";
}

function isRestart(event: { readonly type: string }): event is DownloadRestartEvent {
  return event.type === "restart";
}
