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
import { toPrintable, toPrintableJson } from "./printable.ts";
import type { Styles } from "./styles.ts";

/** The format of results. */
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
  readonly #styles: Styles;

  constructor(stream: Writable, format: Format, styles: Styles) {
    this.#stream = stream;
    this.#format = format;
    this.#styles = styles;
  }

  /** Writes items: as a table, as an array, or each on a line as soon as it arrives. */
  writeList$<T>(items$: Observable<T>, columns: Columns<T>): Observable<void> {
    if (this.#format !== "table") return this.#writeJson$(items$);
    return items$.pipe(
      toArray(),
      filter((items) => items.length > 0),
      concatMap((items) => this.#writeLine(this.formatTable(items, columns))),
    );
  }

  /** Formats items as a table. */
  formatTable<T>(items: readonly T[], columns: Columns<T>): string {
    const headings = Object.keys(columns).map((heading) => this.#styles.heading(heading));
    const cells = Object.values(columns);
    return alignColumns([
      headings,
      ...items.map((item) => cells.map((cell) => toPrintable(cell(item)))),
    ]);
  }

  /**
   * Writes items: each on a plain line as soon as it arrives, as an array, or each as a line of JSON.
   * In every format the items before an interruption are written.
   */
  writeLines$<T>(items$: Observable<T>, formatItem: (item: T) => string): Observable<void> {
    if (this.#format === "table") {
      return items$.pipe(this.#writeEach((item) => toPrintable(formatItem(item))));
    }
    if (this.#format === "jsonl") return this.#writeJson$(items$);
    return defer(() => {
      const items: T[] = [];
      return this.#writeJson$(items$.pipe(tap({
        next: (item) => items.push(item),
        unsubscribe: () => void this.#writeLine(toPrintableJson(items, 2)).catch(() => {}),
      })));
    });
  }

  /** Writes the last event, which has the outcome; as lines of JSON, all events. */
  writeOutcome$<T>(events$: Observable<T>, toDetails: (last: T) => Details): Observable<void> {
    if (this.#format === "jsonl") return this.#writeJson$(events$);
    return events$.pipe(
      takeLast(1),
      concatMap((last) =>
        this.#writeLine(
          this.#format === "json" ? toPrintableJson(last, 2) : this.#formatDetails(toDetails(last)),
        )
      ),
    );
  }

  #formatDetails(details: Details): string {
    return alignColumns(
      details.map(([name, value]) => [this.#styles.heading(name), toPrintable(value)]),
    );
  }

  #writeJson$(items$: Observable<unknown>): Observable<void> {
    return this.#format === "jsonl"
      ? items$.pipe(this.#writeEach((item) => toPrintableJson(item)))
      : items$.pipe(
        toArray(),
        concatMap((items) => this.#writeLine(toPrintableJson(items, 2))),
      );
  }

  /** Writes a line for each item; an error follows the lines before it. */
  #writeEach<T>(formatItem: (item: T) => string): OperatorFunction<T, void> {
    return (items$) =>
      items$.pipe(
        materialize(),
        concatMap(async (notification) => {
          if (notification.kind === "N") await this.#writeLine(formatItem(notification.value));
          if (notification.kind === "E") throw notification.error;
        }),
      );
  }

  #writeLine(text: string): Promise<void> {
    return write(this.#stream, `${text}\n`);
  }
}

/** Aligns columns with spaces. */
function alignColumns(rows: readonly (readonly string[])[]): string {
  const cellsOfRows = rows.map((row) => row.map((text) => ({ text, width: stringWidth(text) })));
  const widths: number[] = [];
  for (const cells of cellsOfRows) {
    cells.forEach(({ width }, column) => widths[column] = Math.max(widths[column] ?? 0, width));
  }
  return cellsOfRows.map((cells) =>
    cells.map(({ text, width }, column) => text + " ".repeat((widths[column] ?? 0) - width))
      .join("  ").replace(/ +$/, "")
  ).join("\n");
}
