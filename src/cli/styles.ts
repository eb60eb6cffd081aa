/** The styles of text on a terminal: functions that add the codes of a style to a text. */
export type Styles = Readonly<Record<"heading" | "accent" | "alert", (text: string) => string>>;

/** Bold; and blue and orange, which all kinds of color vision can distinguish (ECMA-48, SGR). */
const CODES = { heading: "1", accent: "38;5;75", alert: "38;5;214" };

/** Makes the styles. Without colors they return the text unchanged. */
export function createStyles(isColored: boolean): Styles {
  const style = (code: string) => (text: string) =>
    isColored ? `\u001b[${code}m${text}\u001b[0m` : text;
  return {
    heading: style(CODES.heading),
    accent: style(CODES.accent),
    alert: style(CODES.alert),
  };
}
