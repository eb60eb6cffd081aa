import type { Writable } from "node:stream";
import {
  concatMap,
  defer,
  filter,
  materialize,
  type Observable,
  type OperatorFunction,
  takeLast,
  tap,
  toArray,
} from "rxjs";
import stringWidth from "string-width";
import { write } from "./host.ts";
import { type Paint, printable, printableJson } from "./text.ts";

/** How results are written. */
export type Format = "table" | "json" | "jsonl";

/** The formats, the default first. */
export const FORMATS: readonly Format[] = ["table", "json", "jsonl"];

/** The columns of a table: heading and cell. */
export type Columns<T> = Readonly<Record<string, (item: T) => string>>;

/** Two columns: name and value. */
export type Details = readonly (readonly [name: string, value: string])[];

/** Writes results: tables for people, JSON for programs. */
export class Output {
  readonly #stream: Writable;
  readonly #format: Format;
  readonly #paint: Paint;

  constructor(stream: Writable, format: Format, paint: Paint) {
    this.#stream = stream;
    this.#format = format;
    this.#paint = paint;
  }

  /** Writes items: a table, an array, or a line each as they come. */
  list$<T>(items$: Observable<T>, columns: Columns<T>): Observable<void> {
    if (this.#format !== "table") return this.#json$(items$);
    return items$.pipe(
      toArray(),
      filter((items) => items.length > 0),
      concatMap((items) => this.#line(this.table(items, columns))),
    );
  }

  /** Makes a table of items. */
  table<T>(items: readonly T[], columns: Columns<T>): string {
    const heads = Object.keys(columns).map((head) => this.#paint.strong(head));
    const cells = Object.values(columns);
    return alignColumns([
      heads,
      ...items.map((item) => cells.map((cell) => printable(cell(item)))),
    ]);
  }

  /**
   * Writes items: a plain line each as they come, an array, or a line of JSON each. What came before
   * an interruption is written in every format.
   */
  lines$<T>(items$: Observable<T>, line: (item: T) => string): Observable<void> {
    if (this.#format === "table") return items$.pipe(this.#lines((item) => printable(line(item))));
    if (this.#format === "jsonl") return this.#json$(items$);
    return defer(() => {
      const items: T[] = [];
      return this.#json$(items$.pipe(tap({
        next: (item) => items.push(item),
        unsubscribe: () => void this.#line(printableJson(items, 2)).catch(() => {}),
      })));
    });
  }

  /** Writes the last of the events, which has the outcome; as lines of JSON, all of them. */
  outcome$<T>(events$: Observable<T>, details: (last: T) => Details): Observable<void> {
    if (this.#format === "jsonl") return this.#json$(events$);
    return events$.pipe(
      takeLast(1),
      concatMap((last) =>
        this.#line(
          this.#format === "json" ? printableJson(last, 2) : alignColumns(
            details(last).map(([name, value]) => [this.#paint.strong(name), printable(value)]),
          ),
        )
      ),
    );
  }

  #json$(items$: Observable<unknown>): Observable<void> {
    return this.#format === "jsonl"
      ? items$.pipe(this.#lines((item) => printableJson(item)))
      : items$.pipe(
        toArray(),
        concatMap((items) => this.#line(printableJson(items, 2))),
      );
  }

  /** Writes a line for each item; an error waits for the lines before it. */
  #lines<T>(line: (item: T) => string): OperatorFunction<T, void> {
    return (items$) =>
      items$.pipe(
        materialize(),
        concatMap(async (notification) => {
          if (notification.kind === "N") await this.#line(line(notification.value));
          if (notification.kind === "E") throw notification.error;
        }),
      );
  }

  #line(text: string): Promise<void> {
    return write(this.#stream, `${text}\n`);
  }
}

/** Lines up columns, without any lines between them. */
function alignColumns(rows: readonly (readonly string[])[]): string {
  const sized = rows.map((row) => row.map((cell) => ({ cell, width: stringWidth(cell) })));
  const widths: number[] = [];
  for (const row of sized) {
    row.forEach(({ width }, column) => widths[column] = Math.max(widths[column] ?? 0, width));
  }
  const padded = (row: typeof sized[number]) =>
    row.map(({ cell, width }, column) => cell + " ".repeat((widths[column] ?? 0) - width));
  return sized.map((row) => padded(row).join("  ").replace(/ +$/, "")).join("\n");
}
