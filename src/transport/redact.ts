/** Stands where a secret stood. */
const REDACTED = "[redacted]";

/** Takes the secrets out of a text that came from outside. */
export type Redact = (text: string) => string;

/**
 * Makes a function that replaces the key, and the query of every URL, since the query of a signed
 * URL lets anybody read the archive.
 *
 * @param apiKey The key, or `undefined` where there is none.
 */
export function redactor(apiKey: string | undefined): Redact {
  return (text) => {
    // JSON may escape the slashes of a URL.
    const withoutQueries = text.replace(
      /(https?:(?:\\?\/){2}[^\s"'<>?]*)\?[^\s"'<>]*/gi,
      `$1?${REDACTED}`,
    );
    return apiKey === undefined ? withoutQueries : withoutQueries.replaceAll(apiKey, REDACTED);
  };
}

/**
 * Makes the `cause` of an error out of something thrown by the runtime, whose message can hold the
 * URL that was fetched. Its name, its code and its own causes stay.
 */
export function redactedCause(thrown: unknown, redact: Redact): unknown {
  if (!(thrown instanceof Error)) return redact(String(thrown));
  const cause = new Error(
    redact(thrown.message),
    thrown.cause === undefined ? undefined : { cause: redactedCause(thrown.cause, redact) },
  );
  cause.name = thrown.name;
  const code = "code" in thrown && typeof thrown.code === "string" ? { code: thrown.code } : {};
  return Object.assign(cause, code);
}

/** A URL as it may be shown: without credentials, query and fragment. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
