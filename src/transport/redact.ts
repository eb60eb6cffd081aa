/** The replacement for a secret. */
const REDACTED = "[redacted]";

/** Removes the secrets from a text that a server or a runtime wrote. */
export type Redact = (text: string) => string;

/** The secrets of a request and its responses. */
export interface Redactor {
  /** Removes the key, the caller's headers, known queries, and what looks like the query of a URL. */
  readonly redact: Redact;
  /** Makes the values in a URL's query, such as a signature, secret. */
  hideQuery(url: URL): void;
}

/** Shorter values are not signatures, and removing them would make texts unreadable. */
const MIN_SECRET_LENGTH = 8;

/** A secret with fewer letters and digits could be part of any text. */
const MIN_LETTERS = 4;

/** The longest result. */
const MAX_RESULT_CHARACTERS = 4096;

/** How much of a text is redacted, so that enough is left after removing secrets. */
const MAX_REDACTED_CHARACTERS = 2 * MAX_RESULT_CHARACTERS;

/** How much of a text is searched: a secret may begin near the end of the redacted part. */
const MAX_SEARCHED_CHARACTERS = 2 * MAX_REDACTED_CHARACTERS;

/** How many layers of encoding are removed: more than servers and proxies add. */
const MAX_LAYERS = 3;

/** The query of a URL, a query without its URL, and the user of a URL; JSON may escape slashes. */
const PATTERNS = [
  String.raw`(?<=https?:\\?/\\?/[^\s"<>?]{0,2000}\?)[^\s"<>]+`,
  String.raw`(?<=\?)[\w.~%+-]+=[^\s"<>]*`,
  String.raw`(?<=//)[^\s"<>/?#@]+(?=@)`,
];

/**
 * One character of a text: percent-encoded, escaped as in JSON and JavaScript, an HTML entity, an escape
 * without a meaning here, a tag that breaks a line, or the character itself.
 */
const CHARACTER =
  /(?:%(?:u00)?|\\{1,8}(?:u00|x)|&#x0*)([\da-f]{2});?|&#0*(\d{2,3});?|&(?:(amp)|\w{2,30});|\\{1,8}(?:[nrt]|(?=\W))|<\/?\w{1,9} ?\/?>|[^]/gi;

/** A text, and the place of each of its characters in the original; empty where that is the same. */
type Layer = readonly [text: string, at: readonly number[]];

/** A text with each of its layers of encoding removed in turn, the outermost first. */
function layersOf(text: string, at: readonly number[] = [], layersLeft = MAX_LAYERS): Layer[] {
  // Most texts have no character that begins an encoding.
  if (!/[%&<\\]/.test(text)) return [[text, at]];
  let decodedText = "";
  let index = 0;
  const starts: number[] = [];
  for (const [token, hex, decimal, amp] of text.matchAll(CHARACTER)) {
    const code = hex ? `0x${hex}` : amp ? 38 : decimal;
    const character = code ? String.fromCharCode(Number(code)) : token.length > 1 ? "" : token;
    if (character) starts.push(at[index] ?? index);
    decodedText += character;
    index += token.length;
  }
  starts.push(at[index] ?? index);
  const isLast = decodedText === text || layersLeft === 0;
  return [[text, at], ...(isLast ? [] : layersOf(decodedText, starts, layersLeft - 1))];
}

/** The Base64 forms of a text at each offset in a longer one, without the characters at the edges. */
export function base64Forms(text: string): string[] {
  return [0, 1, 2].map((offset) =>
    btoa("\0".repeat(offset) + text)
      .slice(offset && offset + 1, Math.floor((offset + text.length) * 4 / 3))
  );
}

/**
 * Makes a redactor. It finds a secret by its letters and digits, in their order, under up to
 * {@linkcode MAX_LAYERS} layers of encoding, so that wrapping, splitting, quoting and escaping do not
 * hide it.
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
    // A scheme such as `Bearer` may be missing where the value is repeated.
    for (const part of [value, value.replace(/^\S+\s+/, "")]) {
      if (part.length >= MIN_SECRET_LENGTH) hide(part);
    }
  };
  // Deferred until something is redacted, since most requests redact nothing but a URL.
  const deferredSecrets = [() => {
    if (apiKey !== undefined) {
      hide(apiKey, 1);
      base64Forms(apiKey).forEach((form) => hide(form));
    }
    headers.forEach(hideValue);
  }];

  /** The places of secrets in a text: start and end, the end not included. */
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
      deferredSecrets.splice(0).forEach((hideMore) => hideMore());
      let result = "";
      let end = 0;
      for (const [from, to] of findSecrets(text.slice(0, MAX_SEARCHED_CHARACTERS))) {
        if (from >= end && from < MAX_REDACTED_CHARACTERS) {
          result += text.slice(end, from) + REDACTED;
        }
        end = Math.max(end, to);
      }
      return (result + text.slice(end, MAX_REDACTED_CHARACTERS)).slice(0, MAX_RESULT_CHARACTERS);
    },
    hideQuery: ({ search, searchParams }) => {
      deferredSecrets.push(() => {
        const encoded = search.slice(1).split("&").map((pair) => pair.slice(pair.indexOf("=") + 1));
        [...encoded, ...searchParams.values()].forEach(hideValue);
      });
    },
  };
}

/** How many causes are kept; a longer chain may be a circle. */
const MAX_CAUSES = 5;

/**
 * Makes the `cause` of an error from a value that the runtime threw, whose message can contain the URL of
 * the request. Name, code and its own causes are kept.
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

/** A URL without its credentials, query and fragment, which may be secrets. */
export function urlWithoutQuery(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
