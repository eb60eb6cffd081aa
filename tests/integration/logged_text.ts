/**
 * Every text that a log can contain of a value: the output of `console.log` and `JSON.stringify`, and
 * the stacks, with all causes and hidden properties.
 */
export function loggedText(value: unknown): string {
  return [
    Deno.inspect(value, { depth: 100, showHidden: true, strAbbreviateSize: Infinity }),
    JSON.stringify(value),
    ...causes(value).flatMap((cause) => [String(cause), cause.stack]),
  ].join("\n");
}

function causes(value: unknown): Error[] {
  return value instanceof Error ? [value, ...causes(value.cause)] : [];
}
