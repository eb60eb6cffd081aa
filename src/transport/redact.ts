/** Stands where a secret stood. */
const REDACTED = "[redacted]";

/** Takes the secrets out of a text that came from outside. */
export type Redact = (text: string) => string;

/** Knows what is secret in a request and its answers. */
export interface Redactor {
  /** Takes the key, known queries and all that looks like the query of a URL out of a text. */
  readonly redact: Redact;
  /** Makes the values in a URL's query secret wherever they stand, as a signature is. */
  hideQuery(url: URL): void;
}

/** Shorter values are no signatures, and taking them out would spoil any text. */
const MIN_SECRET_LENGTH = 8;

/** The query of a URL; JSON may escape its slashes. */
const URL_QUERY = /(https?:(?:\\?\/){2}[^\s"<>?]*)\?[^\s"<>]*/gi;

/** What looks like a query without its URL. */
const BARE_QUERY = /\?[\w.~%+-]+=[^\s"<>]*/g;

/** User name and password in a URL. */
const USERINFO = /(\/\/)[^\s"<>/?#@]*@/g;

/** No message needs more of a text than this, and the patterns take their time with long ones. */
const MAX_CHARACTERS = 4096;

/**
 * Makes a redactor.
 *
 * @param apiKey The key, or `undefined` where there is none.
 * @param headers The caller's own headers, whose values can be secrets too.
 */
export function redactor(apiKey: string | undefined, headers: Headers = new Headers()): Redactor {
  const secrets = new Set<string>();
  const hide = (secret: string) => {
    // Servers repeat what they got as it is, percent-encoded, or as JSON has it.
    const inJson = JSON.stringify(secret).slice(1, -1);
    for (
      const form of [secret, encodeURIComponent(secret), inJson, inJson.replaceAll("/", "\\/")]
    ) {
      secrets.add(form);
    }
  };
  if (apiKey !== undefined) hide(apiKey);
  for (const value of headers.values()) if (value.length >= MIN_SECRET_LENGTH) hide(value);
  return {
    redact: (text) =>
      // Before the text is cut, since half a secret would not be found.
      [...secrets].reduce((redacted, secret) => redacted.replaceAll(secret, REDACTED), text)
        .slice(0, MAX_CHARACTERS)
        .replace(URL_QUERY, `$1?${REDACTED}`)
        .replace(BARE_QUERY, `?${REDACTED}`)
        .replace(USERINFO, `$1${REDACTED}@`),
    hideQuery: ({ search, searchParams }) => {
      const encoded = search.slice(1).split("&").map((pair) => pair.slice(pair.indexOf("=") + 1));
      for (const value of [...encoded, ...searchParams.values()]) {
        if (value.length >= MIN_SECRET_LENGTH) hide(value);
      }
    },
  };
}

/** A chain of causes that is longer goes round in a circle. */
const MAX_CAUSES = 5;

/**
 * Makes the `cause` of an error out of something thrown by the runtime, whose message can hold the
 * URL that was fetched. Its name, its code and its own causes stay.
 */
export function redactedCause(thrown: unknown, redact: Redact, depth = MAX_CAUSES): unknown {
  if (!(thrown instanceof Error)) return redact(String(thrown));
  const cause = new Error(
    redact(thrown.message),
    thrown.cause === undefined || depth === 0
      ? undefined
      : { cause: redactedCause(thrown.cause, redact, depth - 1) },
  );
  cause.name = thrown.name;
  const code = "code" in thrown && typeof thrown.code === "string" ? { code: thrown.code } : {};
  return Object.assign(cause, code);
}

/** A URL as it may be shown: without credentials, query and fragment. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
