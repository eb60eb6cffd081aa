import { base64Forms, redactor } from "../transport/redact.ts";

/** A form of the key with fewer letters and digits could be a word of any text. */
const MIN_LETTERS = 4;

/**
 * Removes the key from a JSON text. A text without the key stays exactly as the server wrote it.
 *
 * @throws {SyntaxError} if the text is not JSON.
 */
export function redactJson(text: string, apiKey: string): string {
  const { redact } = redactor(apiKey);
  const { redact: redactUrls } = redactor(undefined);
  const forms = [apiKey, ...base64Forms(apiKey)]
    .map(lettersOf)
    .filter(({ length }) => length >= MIN_LETTERS);

  /** Whether a string contains the key, also encoded. */
  const hasKey = (string: string): boolean => {
    const letters = lettersOf(string);
    return string.includes(apiKey) || forms.some((form) => letters.includes(form)) ||
      /[%&\\]/.test(string) && redact(string) !== redactUrls(string);
  };

  let isRedacted = false;
  const json: unknown = JSON.parse(text, (_name, value) => {
    if (typeof value === "string" && hasKey(value)) {
      isRedacted = true;
      return redact(value);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    if (!Object.keys(value).some(hasKey)) return value;
    isRedacted = true;
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [redact(name), member]),
    );
  });
  return isRedacted ? JSON.stringify(json) : text;
}

function lettersOf(text: string): string {
  return text.replace(/[\W_]/g, "").toLowerCase();
}
