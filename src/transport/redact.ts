/** Stands where a secret stood. */
const REDACTED = "[redacted]";

/** Removes the secrets from a text that came from outside. */
export type Redact = (text: string) => string;

/** Knows what is secret in a request and its responses. */
export interface Redactor {
  /** Removes the key, known queries and all that looks like the query of a URL from a text. */
  readonly redact: Redact;
  /** Makes the values in a URL's query secret wherever they stand, as a signature is. */
  hideQuery(url: URL): void;
}

/** Shorter values are no signatures, and removing them would spoil any text. */
const MIN_SECRET_LENGTH = 8;

/** Fewer letters and digits of a secret are a word that any text may hold. */
const MIN_LETTERS = 4;

/** No message needs more of a text than this. */
const MAX_CHARACTERS = 4096;

/** More of a text is not shown, however much of it was removed. */
const MAX_SHOWN = 2 * MAX_CHARACTERS;

/** More of a text is not searched: room for a secret that begins where the shown part ends. */
const MAX_SEARCHED = 2 * MAX_SHOWN;

/** An encoding of an encoding of an encoding: more layers than servers and proxies add. */
const MAX_LAYERS = 3;

/** The query of a URL, a query without its URL, and the user of a URL; JSON may escape slashes. */
const PATTERNS = [
  String.raw`(?<=https?:\\?/\\?/[^\s"<>?]{0,2000}\?)[^\s"<>]+`,
  String.raw`(?<=\?)[\w.~%+-]+=[^\s"<>]*`,
  String.raw`(?<=//)[^\s"<>/?#@]+(?=@)`,
];

/**
 * One character of a text: percent-encoded or as JSON and JavaScript escape it, an HTML entity, an
 * escape without a meaning here, a tag that breaks a line, or the character itself.
 */
const CHARACTER =
  /(?:%(?:u00)?|\\{1,8}(?:u00|x)|&#x0*)([\da-f]{2});?|&#0*(\d{2,3});?|&(?:(amp)|\w{2,30});|\\{1,8}(?:[nrt]|(?=\W))|<\/?\w{1,9} ?\/?>|[^]/gi;

/** A text, and where in the original each of its characters is; empty where that is the same. */
type Layer = readonly [text: string, at: readonly number[]];

/** A text under each of its layers of encoding, the outermost first. */
function layersOf(text: string, at: readonly number[] = [], layersLeft = MAX_LAYERS): Layer[] {
  let decoded = "";
  let index = 0;
  const starts: number[] = [];
  for (const [token, hex, decimal, amp] of text.matchAll(CHARACTER)) {
    const code = hex ? `0x${hex}` : amp ? 38 : decimal;
    const character = code ? String.fromCharCode(Number(code)) : token.length > 1 ? "" : token;
    if (character) starts.push(at[index] ?? index);
    decoded += character;
    index += token.length;
  }
  starts.push(at[index] ?? index);
  const isLast = decoded === text || layersLeft === 0;
  return [[text, at], ...(isLast ? [] : layersOf(decoded, starts, layersLeft - 1))];
}

/** What Base64 makes of a text at each offset in a longer one, without what depends on the rest. */
export function base64Forms(text: string): string[] {
  return [0, 1, 2].map((offset) =>
    btoa("\0".repeat(offset) + text)
      .slice(offset && offset + 1, Math.floor((offset + text.length) * 4 / 3))
  );
}

/**
 * Makes a redactor. It finds a secret by its letters and digits, in their order, under up to
 * {@linkcode MAX_LAYERS} layers of encoding: however a server wraps, splits, quotes and escapes it.
 *
 * @param apiKey The key, or `undefined` where there is none.
 * @param headers The caller's own headers, whose values can be secrets too.
 */
export function redactor(apiKey: string | undefined, headers: Headers = new Headers()): Redactor {
  const patterns = new Set(PATTERNS);
  const hide = (secret: string, minLetters = MIN_LETTERS) => {
    for (const [text] of layersOf(secret)) {
      const letters = text.replace(/[\W_]/g, "");
      if (letters.length >= minLetters) patterns.add([...letters].join(String.raw`[\W_]*`));
    }
  };
  const hideValue = (value: string) => {
    // Also without a scheme such as `Bearer`.
    for (const part of [value, value.replace(/^\S+\s+/, "")]) {
      if (part.length >= MIN_SECRET_LENGTH) hide(part);
    }
  };
  // Put off until something is redacted, which most requests do not need.
  const pending = [() => {
    if (apiKey !== undefined) {
      hide(apiKey, 1);
      base64Forms(apiKey).forEach((form) => hide(form));
    }
    headers.forEach(hideValue);
  }];

  /** Where secrets are in a text: from, and up to but not including. */
  const findSecrets = (text: string): [number, number][] =>
    layersOf(text).flatMap(([text, at]) => {
      const place = (index: number) => at[index] ?? index;
      return [...patterns].flatMap((pattern) =>
        Array.from(
          text.matchAll(new RegExp(pattern, "gi")),
          ({ 0: { length }, index }): [number, number] => [place(index), place(index + length)],
        )
      );
    }).sort(([a], [b]) => a - b);

  return {
    redact: (text) => {
      pending.splice(0).forEach((hideMore) => hideMore());
      let redacted = "";
      let end = 0;
      for (const [from, to] of findSecrets(text.slice(0, MAX_SEARCHED))) {
        if (from >= end && from < MAX_SHOWN) redacted += text.slice(end, from) + REDACTED;
        end = Math.max(end, to);
      }
      return (redacted + text.slice(end, MAX_SHOWN)).slice(0, MAX_CHARACTERS);
    },
    hideQuery: ({ search, searchParams }) => {
      pending.push(() => {
        const encoded = search.slice(1).split("&").map((pair) => pair.slice(pair.indexOf("=") + 1));
        [...encoded, ...searchParams.values()].forEach(hideValue);
      });
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
  cause.name = redact(String(thrown.name));
  const code = "code" in thrown && typeof thrown.code === "string"
    ? { code: redact(thrown.code) }
    : {};
  return Object.assign(cause, code);
}

/** A URL as it may be shown: without credentials, query and fragment. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
