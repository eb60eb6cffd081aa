import prettyBytes from "pretty-bytes";

/**
 * What a terminal would obey instead of showing it: control characters, and those that turn the
 * direction of text round (Unicode Standard Annex #9). Names come from servers and archives.
 */
// deno-lint-ignore no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Makes a text from outside safe to show on one line of a terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "\ufffd");
}

/** The same for a text of several lines, whichever system they are from. */
export function printableLines(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(
    UNPRINTABLE,
    (character) => /[\t\n]/.test(character) ? character : "\ufffd",
  );
}

/** JSON, whose texts lose nothing by being safe to show. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    UNPRINTABLE,
    (character) =>
      character === "\n" ? "\n" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** What stands for a value that the server does not tell. */
export const UNKNOWN = "unknown";

/** A moment, in UTC and to the second. */
export function moment(time: Date | null): string {
  return time === null ? UNKNOWN : `${time.toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** A size, such as `1.05 MiB`. */
export function size(bytes: number): string {
  return prettyBytes(bytes, { binary: true });
}

/** A time left, such as `1:05` or `2:00:00`. */
export function timeLeft(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((n) =>
    String(n).padStart(2, "0")
  );
  const hours = Math.floor(seconds / 3600);
  return hours > 0 ? [hours, ...parts].join(":") : parts.join(":").replace(/^0/, "");
}

/** `1 checkpoint`, `2 checkpoints`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Wraps a text in the codes of a style, where the stream shows them. */
export type Paint = Record<"strong" | "accent" | "alert", (text: string) => string>;

/** Bold; and blue and orange, which all kinds of colour vision tell apart. */
const STYLES = { strong: "1", accent: "38;5;75", alert: "38;5;214" };

/** Makes the styles, or what leaves texts as they are. */
export function paint(isColored: boolean): Paint {
  const style = (code: string) => (text: string) =>
    isColored ? `\u001b[${code}m${text}\u001b[0m` : text;
  return {
    strong: style(STYLES.strong),
    accent: style(STYLES.accent),
    alert: style(STYLES.alert),
  };
}
