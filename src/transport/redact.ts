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

/** Less than this of a secret without its punctuation is a word that any text may hold. */
const MIN_PLAIN_LENGTH = 4;

/** No message needs more of a text than this, and some patterns are slow with long ones. */
const MAX_CHARACTERS = 4096;

/** More of a text is not shown, however much of it was removed. */
const MAX_SHOWN = 2 * MAX_CHARACTERS;

/** More of a text is not searched: room for a secret that begins where the shown part ends. */
const MAX_SEARCHED = 2 * MAX_SHOWN;

/** An encoding of an encoding of an encoding: more layers than servers and proxies add. */
const MAX_LAYERS = 3;

/** What looks like the query of a URL, a query without its URL, or the user of a URL. */
const PATTERNS = [
  /(https?:(?:\\?\/){2}[^\s"<>?]{0,2000}\?)[^\s"<>]*/gi,
  /(\?)[\w.~%+-]+=[^\s"<>]*/g,
  /(\/\/)[^\s"<>/?#@]*(?=@)/g,
];

/**
 * One character of a text: as it is, or percent-encoded, an HTML entity (hexadecimal, decimal, `&amp;`,
 * another), an escape of JSON or JavaScript, or a tag that breaks a line.
 */
const CHARACTER =
  /(?:%(?:u00)?|\\{1,8}(?:u00|x)|&#x0*)([\da-f]{2});?|&#0*(\d{2,3});?|&(?:(amp)|\w{2,30});|\\{1,8}(?:[nrt]|(?=\W))|<\/?\w{1,9} ?\/?>|[^]/gi;

/** A text, and where in the original each of its characters begins; one number more for the end. */
interface Layer {
  readonly text: string;
  readonly at: readonly number[];
}

/** Removes one layer of encoding. */
function decode({ text, at }: Layer): Layer {
  let decoded = "";
  const starts: number[] = [];
  let index = 0;
  for (const [token, hex, decimal, amp] of text.matchAll(CHARACTER)) {
    const character = hex !== undefined
      ? String.fromCharCode(parseInt(hex, 16))
      : decimal !== undefined
      ? String.fromCharCode(Number(decimal))
      : amp !== undefined
      ? "&"
      : token.length === 1
      ? token
      : "";
    if (character !== "") starts.push(at[index] ?? 0);
    decoded += character;
    index += token.length;
  }
  return { text: decoded, at: [...starts, at[index] ?? 0] };
}

/** A text under each of its layers of encoding, the outermost first. */
function layersOf(text: string): Layer[] {
  const layers: Layer[] = [{ text, at: Array.from({ length: text.length + 1 }, (_, i) => i) }];
  for (let [layer] = layers; layer !== undefined && layers.length <= MAX_LAYERS;) {
    const next = decode(layer);
    if (next.text === layer.text) break;
    layers.push(layer = next);
  }
  return layers;
}

/** Letters and digits only: what stays of a secret however it is wrapped, split, quoted and escaped. */
const plain = (text: string) => text.replace(/[^\da-z]/gi, "");

/** What Base64 makes of a text at each offset in a longer one, without what depends on the rest. */
function base64Forms(text: string): string[] {
  return [0, 1, 2].map((offset) =>
    btoa("\0".repeat(offset) + text)
      .slice(offset && offset + 1, Math.floor((offset + text.length) * 4 / 3))
  );
}

/**
 * Makes a redactor. It finds a secret by its letters and digits, in their order, under up to
 * {@linkcode MAX_LAYERS} layers of encoding, so that a new way to write the rest needs no new pattern.
 *
 * @param apiKey The key, or `undefined` where there is none.
 * @param headers The caller's own headers, whose values can be secrets too.
 */
export function redactor(apiKey: string | undefined, headers: Headers = new Headers()): Redactor {
  const secrets = new Set<string>();
  const hide = (secret: string, minLength = MIN_PLAIN_LENGTH) => {
    for (const { text } of layersOf(secret)) {
      if (plain(text).length >= minLength) secrets.add(plain(text));
    }
  };
  const hideValue = (value: string) => {
    // Also without a scheme such as `Bearer`.
    for (const part of [value, value.replace(/^\S+\s+/, "")]) {
      if (part.length >= MIN_SECRET_LENGTH) hide(part);
    }
  };
  if (apiKey !== undefined) {
    hide(apiKey, 1);
    base64Forms(apiKey).forEach((form) => hide(form));
  }
  for (const value of headers.values()) hideValue(value);

  /** Where secrets are in a text: from, and up to but not including. */
  const findSecrets = (text: string): [number, number][] =>
    layersOf(text).flatMap(({ text, at }) => {
      const found: [number, number][] = [];
      const add = (from: number, last: number) => found.push([at[from] ?? 0, at[last + 1] ?? 0]);
      for (const pattern of PATTERNS) {
        for (const { 0: match, 1: kept = "", index } of text.matchAll(pattern)) {
          if (match !== kept) add(index + kept.length, index + match.length - 1);
        }
      }
      const indices = Array.from(text.matchAll(/[\da-z]/gi), ({ index }) => index);
      const searched = plain(text);
      for (const secret of secrets) {
        for (
          let i = searched.indexOf(secret);
          i >= 0;
          i = searched.indexOf(secret, i + secret.length)
        ) add(indices[i] ?? 0, indices[i + secret.length - 1] ?? 0);
      }
      return found;
    });

  return {
    redact: (text) => {
      let redacted = "";
      let end = 0;
      const found = findSecrets(text.slice(0, MAX_SEARCHED)).sort(([a], [b]) => a - b);
      for (const [from, to] of found) {
        if (from >= MAX_SHOWN) break;
        if (from >= end) redacted += text.slice(end, from) + REDACTED;
        end = Math.max(end, to);
      }
      return (redacted + text.slice(end, MAX_SHOWN)).slice(0, MAX_CHARACTERS);
    },
    hideQuery: ({ search, searchParams }) => {
      const encoded = search.slice(1).split("&").map((pair) => pair.slice(pair.indexOf("=") + 1));
      [...encoded, ...searchParams.values()].forEach(hideValue);
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
