import { assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { redactedCause, redactor, shownUrl } from "../../src/transport/redact.ts";
import { statusError } from "../../src/transport/status_error.ts";

const { redact } = redactor("sk-secret");

Deno.test("redact removes the key from every place in a text", () => {
  assertEquals(
    redact("bad key sk-secret, I say sk-secret!"),
    "bad key [redacted], I say [redacted]!",
  );
});

Deno.test("redact removes the query of each URL and keeps the rest", () => {
  assertEquals(
    redact('{"url":"https://s.example/a/b?X-Signature=1&e=2","x":"http://h/?q"} https://h/ok'),
    '{"url":"https://s.example/a/b?[redacted]","x":"http://h/?[redacted]"} https://h/ok',
  );
});

Deno.test("redact removes the query of a URL with slashes escaped as in JSON", () => {
  assertEquals(
    redact(String.raw`"https:\/\/s.example\/a?sig=1"`),
    String.raw`"https:\/\/s.example\/a?[redacted]"`,
  );
});

Deno.test("redact removes a query without its URL", () => {
  assertEquals(
    redact("Cannot GET /a.tar.gz?e=1&amp;sig=2 now? yes"),
    "Cannot GET /a.tar.gz?[redacted] now? yes",
  );
});

Deno.test("redact removes the values of a hidden query from every place in a text", () => {
  const { redact, hideQuery } = redactor(undefined);
  hideQuery(new URL("https://s.example/a?e=900&sig=s1gn%2Bture&t=20260107"));
  assertEquals(
    redact("900: s1gn%2Bture, s1gn+ture, 20260107"),
    "900: [redacted], [redacted], [redacted]",
  );
});

Deno.test("redact without a key removes queries only", () => {
  assertEquals(
    redactor(undefined).redact("sk-secret https://h/?s"),
    "sk-secret https://h/?[redacted]",
  );
});

Deno.test("redactedCause keeps name, code and causes, without secrets", () => {
  const inner = Object.assign(new Error("reset for https://h/?sig=1"), { code: "ECONNRESET" });
  const cause = redactedCause(new TypeError("fetch of sk-secret failed", { cause: inner }), redact);
  assertInstanceOf(cause, Error);
  assertEquals([cause.name, cause.message], ["TypeError", "fetch of [redacted] failed"]);
  assertInstanceOf(cause.cause, Error);
  assertEquals(cause.cause.message, "reset for https://h/?[redacted]");
  assertEquals(Object.entries(cause.cause), [["name", "Error"], ["code", "ECONNRESET"]]);
});

Deno.test("redactedCause of a value that is not an Error is its text, without secrets", () => {
  assertEquals(redactedCause("sk-secret", redact), "[redacted]");
});

Deno.test("shownUrl has no credentials, query or fragment", () => {
  assertEquals(shownUrl(new URL("https://user:pw@h.example/p/q?sig=1#f")), "https://h.example/p/q");
});

Deno.test("redact removes the key in each form in which servers repeat it", () => {
  const { redact } = redactor('k/secret+"1');
  assertEquals(
    redact(String.raw`k/secret+"1 k%2Fsecret%2B%221 k/secret+\"1 k\/secret+\"1`),
    "[redacted] [redacted] [redacted] [redacted]",
  );
});

Deno.test("redact removes the values of the caller's headers, except short ones", () => {
  const { redact } = redactor(undefined, new Headers({ "X-Token": "proxy-secret", "X-Team": "a" }));
  assertEquals(redact("a proxy-secret"), "a [redacted]");
});

Deno.test("redact removes user name and password from a URL", () => {
  assertEquals(redact("at https://user:pw@h.example/a"), "at https://[redacted]@h.example/a");
});

Deno.test("redactedCause ends a circular chain of causes", () => {
  const error = new Error("round");
  error.cause = error;
  assertInstanceOf(redactedCause(error, redact), Error);
});

Deno.test("redact removes a whole key at the end of a long text", () => {
  const text = redact("x".repeat(4090) + "sk-secret");
  assertEquals(text.includes("sk-"), false);
});

/** Encodes each character by itself. */
const each = (encode: (code: number, character: string) => string) => (text: string) =>
  [...text].map((character) => encode(character.charCodeAt(0), character)).join("");
const hex = (code: number, digits = 2) => code.toString(16).padStart(digits, "0");
/** Puts a text after every fourth character. */
const split = (by: string) => (text: string) => text.replace(/.{4}(?=.)/g, `$&${by}`);
const toJson = (text: string) => JSON.stringify(text).slice(1, -1);
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  "/": "&sol;",
  "+": "&plus;",
  "=": "&equals;",
  "_": "&lowbar;",
  ".": "&period;",
};
const toHtml = each((_, character) => ENTITIES[character] ?? character);
const toPercentEncoding = each((code) => `%${hex(code)}`);

/** The encodings in which servers, proxies, frameworks and loggers repeat a text. */
const encodings: Record<string, (text: string) => string> = {
  "unchanged": (text) => text,
  "percent-encoded": encodeURIComponent,
  "percent-encoded in lower case": (text) =>
    encodeURIComponent(text).replace(/%../g, (escape) => escape.toLowerCase()),
  "percent-encoded whole": toPercentEncoding,
  "percent-encoded twice": (text) => encodeURIComponent(encodeURIComponent(text)),
  "percent-encoded three times": (text) =>
    encodeURIComponent(encodeURIComponent(toPercentEncoding(text))),
  "by JavaScript's escape": each((code) => `%u${hex(code, 4)}`),
  "as JSON": toJson,
  "as JSON with escaped slashes": (text) => toJson(text).replaceAll("/", String.raw`\/`),
  "as JSON in JSON": (text) => toJson(toJson(text)),
  "as JSON's \\u escapes": each((code) => String.raw`\u` + hex(code, 4)),
  "as JSON's \\u escapes in capitals": each((code) => String.raw`\u` + hex(code, 4).toUpperCase()),
  "as JavaScript's \\x escapes": each((code) => String.raw`\x` + hex(code)),
  "as named entities": toHtml,
  "as decimal entities": each((code) => `&#${code};`),
  "as decimal entities with zeros": each((code) => `&#000${code};`),
  "as hexadecimal entities": each((code) => `&#x${hex(code)};`),
  "as hexadecimal entities with zeros, in capitals": each((code) =>
    `&#X00${hex(code).toUpperCase()};`
  ),
  "as entities in entities": (text) => each((code) => `&#${code};`)(text).replaceAll("&", "&amp;"),
  "as entities in JSON, as Go writes it": (text) =>
    toHtml(text).replaceAll("&", String.raw`\u0026`),
  "as percent-encoded entities": (text) => encodeURIComponent(each((code) => `&#${code};`)(text)),
  "split by line breaks": split("\n"),
  "split by line breaks and indented": split("\r\n    "),
  "split by blanks": split(" "),
  "split by line breaks in JSON": (text) => split(String.raw`\n`)(toJson(text)),
  "split by line breaks in JSON in JSON": (text) => toJson(toJson(split("\n")(text))),
  "split by soft line breaks of quoted-printable": split("=\r\n"),
  "split by <wbr>": (text) => split("<wbr>")(toHtml(text)),
  "split by <br />": (text) => split("<br />")(toHtml(text)),
  "split by soft hyphens": split("\u00ad"),
  "split by &shy;": split("&shy;"),
  "split by zero-width spaces": split("\u200b"),
  "split by percent-encoded line breaks": (text) => encodeURIComponent(split("\r\n")(text)),
  "split into quoted strings": split('" +\n  "'),
  "in Base64": btoa,
  "in Base64 after a user's name": (text) => btoa(`user:${text}`),
  "in Base64 amid others": (text) => btoa(`ab${text}yz`),
  "in base64url, split": (text) =>
    split("\n")(btoa(text).replaceAll("+", "-").replaceAll("/", "_")),
};

/** Keys as services issue them: 20 to 60 characters of one alphabet. */
const anyKey = fc.oneof(
  ...[
    "0123456789abcdef",
    "ABCXYZabcxyz0123456789",
    "abcxyzABC019-_",
    "abcXYZ019+/=",
    "aZ5~!*'().,:;<>&\"%$#@^",
  ]
    .map((alphabet) =>
      fc.array(fc.constantFrom(...alphabet), { minLength: 20, maxLength: 60 })
        .map((characters) => `sk-7${characters.join("")}`)
    ),
);
const around = fc.constantFrom(
  "",
  "key=",
  " ",
  '{"key": "',
  "95",
  "Bearer ",
  "https://h.example/a?k=",
  "%20",
  "&",
);

/** The letters and digits of a text, by which a secret is recognized. */
const letters = (text: string) => text.replace(/[\W_]/g, "");

for (const [how, encode] of Object.entries(encodings)) {
  Deno.test(`redact removes a key that is repeated ${how} from text, errors and causes`, async () => {
    await fc.assert(
      fc.asyncProperty(anyKey, around, async (key, before) => {
        const { redact } = redactor(key);
        const written = `${before}${encode(key)}`;
        const request = { method: "GET", requestUrl: "https://api.example/x" };
        const bodies = [
          `denied: ${written} is wrong`,
          JSON.stringify({ error: written, message: written, details: { [written]: [written] } }),
          JSON.stringify({ detail: [{ loc: [written], msg: written }] }),
        ];
        const errors = await Promise.all(
          bodies.map((body) => statusError(new Response(body, { status: 400 }), request, redact)),
        );
        const cause = redactedCause(
          Object.assign(new Error(written, { cause: new Error(written) }), {
            name: written,
            code: written,
          }),
          redact,
        );
        const shown = [
          redact(`denied: ${written} is wrong`),
          ...errors.flatMap((
            { message, code, details },
          ) => [message, code, JSON.stringify(details)]),
          Deno.inspect(cause),
        ].join("\n");
        assertEquals(shown.includes(encode(key)), false);
        for (let at = 0; at + 8 <= key.length; at++) {
          const piece = key.slice(at, at + 8);
          assertEquals(letters(piece).length === 8 && shown.includes(piece), false, piece);
        }
      }),
      { numRuns: 10 },
    );
  });
}

Deno.test("redact keeps the text around a key", () => {
  const { redact } = redactor("sk-secret/1");
  assertEquals(redact("a sk-secret%2f1 b"), "a [redacted] b");
  assertEquals(redact("<p>sk-sec\n  ret&#x2F;1, no</p>"), "<p>[redacted], no</p>");
});

Deno.test("redact removes a token that is repeated without its scheme", () => {
  const { redact } = redactor(undefined, new Headers({ "Authorization": "Bearer s3cr3t-token" }));
  assertEquals(redact("token s3cr3t-token is unknown"), "token [redacted] is unknown");
});

Deno.test("redact leaves no part of a key in a long text with many keys", () => {
  const key = "k3y".repeat(70);
  const { redact } = redactor(key);
  for (let offset = 0; offset < key.length; offset += 7) {
    const text = redact("-".repeat(offset) + `${key} `.repeat(400));
    assertEquals(text.includes("k3yk3y"), false);
  }
});

const longTexts: Record<string, string> = {
  "backslashes": "\\".repeat(1e6),
  "ampersands": "&#0000".repeat(2e5),
  "tags": "<".repeat(1e6),
  "URLs without a query": "https://h".repeat(1e5),
  "slashes": "//".repeat(5e5),
  "the beginning of the key": "sk-sk-sk-sk-".repeat(1e5),
  "percent signs": "%25".repeat(3e5),
  "a key apart": "s k - ".repeat(2e5),
};
for (const [what, text] of Object.entries(longTexts)) {
  Deno.test(`redact searches a megabyte of ${what} in less than a second`, () => {
    const { redact } = redactor("sk-".repeat(100) + "x");
    const startedAt = performance.now();
    redact(text);
    const tookMs = performance.now() - startedAt;
    assertEquals(tookMs < 1000, true, `${tookMs} ms`);
  });
}
