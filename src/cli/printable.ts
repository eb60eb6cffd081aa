/**
 * Control characters, and characters that change the direction of text (Unicode Standard Annex #9).
 *
 * Names from servers and archives may contain them, and a terminal would act on them.
 */
// deno-lint-ignore no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Replaces control characters, to show external text on one line of a terminal. */
export function toPrintable(text: string): string {
  return text.replace(UNPRINTABLE, "\ufffd");
}

/** Replaces control characters in text of several lines, with the line ends of any system. */
export function toPrintableLines(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(
    UNPRINTABLE,
    (character) => /[\t\n]/.test(character) ? character : "\ufffd",
  );
}

/** Formats JSON whose strings escape all control characters, without loss. */
export function toPrintableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    UNPRINTABLE,
    (character) =>
      character === "\n" ? "\n" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
