import { defer, type MonoTypeOperatorFunction, type Observable, tap } from "rxjs";

/** Whether lines can change in place; a file or a pipe gets plain ones. */
export const isTerminal = Deno.stdout.isTerminal();

/** How wide the terminal is; 80 where it does not say. */
export function columns(): number {
  return isTerminal && Deno.consoleSize().columns || 80;
}

const bold = style(1);
export const dim = style(2);
export const green = style(32);
export const cyan = style(36);

/** How often a line that changes is printed where it can't change in place, in milliseconds. */
const PLAIN_INTERVAL_MS = 1_000;

function style(code: number): (text: string) => string {
  const isOn = isTerminal && !Deno.noColor;
  return (text) => isOn ? `\x1b[${code}m${text}\x1b[0m` : text;
}

/** Puts a heading before what a part of the demo prints: what it shows, and how it is called. */
export function part<T>(title: string, call: string, content$: Observable<T>): Observable<T> {
  return defer(() => {
    console.log(`\n${bold(title)}  ${dim(call)}`);
    return content$;
  });
}

/**
 * Shows each value in one line, over the value before. Where lines can't change in place, it prints
 * the latest value each second, and the last one.
 *
 * @param line What to show of a value.
 */
export function live<T>(line: (value: T) => string): MonoTypeOperatorFunction<T> {
  return isTerminal ? changeInPlace(line) : printNowAndThen(line);
}

function changeInPlace<T>(line: (value: T) => string): MonoTypeOperatorFunction<T> {
  const write = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));
  const leave = () => write("\n");
  return tap({
    next: (value) => write(`\r\x1b[K  ${line(value)}`),
    complete: leave,
    error: leave,
    unsubscribe: leave,
  });
}

function printNowAndThen<T>(line: (value: T) => string): MonoTypeOperatorFunction<T> {
  return (source) =>
    defer(() => {
      let printedAt = performance.now();
      let unprinted: string | undefined;
      const print = (text: string) => {
        console.log(`  ${text}`);
        printedAt = performance.now();
        unprinted = undefined;
      };
      return source.pipe(tap({
        next: (value) => {
          unprinted = line(value);
          if (performance.now() - printedAt >= PLAIN_INTERVAL_MS) print(unprinted);
        },
        complete: () => {
          if (unprinted !== undefined) print(unprinted);
        },
      }));
    });
}
