import { assertEquals, assertInstanceOf } from "@std/assert";
import { redactedCause, redactor, shownUrl } from "../../src/transport/redact.ts";

const { redact } = redactor("sk-secret");

Deno.test("the key is taken out of a text, wherever it stands", () => {
  assertEquals(
    redact("bad key sk-secret, I say sk-secret!"),
    "bad key [redacted], I say [redacted]!",
  );
});

Deno.test("the query of each URL is taken out of a text, the rest stays", () => {
  assertEquals(
    redact('{"url":"https://s.example/a/b?X-Signature=1&e=2","x":"http://h/?q"} https://h/ok'),
    '{"url":"https://s.example/a/b?[redacted]","x":"http://h/?[redacted]"} https://h/ok',
  );
});

Deno.test("a URL whose slashes JSON escapes loses its query too", () => {
  assertEquals(
    redact(String.raw`"https:\/\/s.example\/a?sig=1"`),
    String.raw`"https:\/\/s.example\/a?[redacted]"`,
  );
});

Deno.test("a query without its URL is taken out too", () => {
  assertEquals(
    redact("Cannot GET /a.tar.gz?e=1&amp;sig=2 now? yes"),
    "Cannot GET /a.tar.gz?[redacted] now? yes",
  );
});

Deno.test("the values of a query that is hidden are taken out wherever they stand", () => {
  const { redact, hideQuery } = redactor(undefined);
  hideQuery(new URL("https://s.example/a?e=900&sig=s1gn%2Bture&t=20260107"));
  assertEquals(
    redact("900: s1gn%2Bture, s1gn+ture, 20260107"),
    "900: [redacted], [redacted], [redacted]",
  );
});

Deno.test("without a key only queries are taken out", () => {
  assertEquals(
    redactor(undefined).redact("sk-secret https://h/?s"),
    "sk-secret https://h/?[redacted]",
  );
});

Deno.test("a cause keeps its name, its code and its own causes, without secrets", () => {
  const inner = Object.assign(new Error("reset for https://h/?sig=1"), { code: "ECONNRESET" });
  const cause = redactedCause(new TypeError("fetch of sk-secret failed", { cause: inner }), redact);
  assertInstanceOf(cause, Error);
  assertEquals([cause.name, cause.message], ["TypeError", "fetch of [redacted] failed"]);
  assertInstanceOf(cause.cause, Error);
  assertEquals(cause.cause.message, "reset for https://h/?[redacted]");
  assertEquals(Object.entries(cause.cause), [["name", "Error"], ["code", "ECONNRESET"]]);
});

Deno.test("a cause that is no Error becomes its text, without secrets", () => {
  assertEquals(redactedCause("sk-secret", redact), "[redacted]");
});

Deno.test("a shown URL has neither credentials nor query nor fragment", () => {
  assertEquals(shownUrl(new URL("https://user:pw@h.example/p/q?sig=1#f")), "https://h.example/p/q");
});

Deno.test("a key is taken out in each form that servers repeat it in", () => {
  const { redact } = redactor('k/secret+"1');
  assertEquals(
    redact(String.raw`k/secret+"1 k%2Fsecret%2B%221 k/secret+\"1 k\/secret+\"1`),
    "[redacted] [redacted] [redacted] [redacted]",
  );
});

Deno.test("the values of the caller's own headers are taken out, but for the shortest", () => {
  const { redact } = redactor(undefined, new Headers({ "X-Token": "proxy-secret", "X-Team": "a" }));
  assertEquals(redact("a proxy-secret"), "a [redacted]");
});

Deno.test("user name and password are taken out of a URL", () => {
  assertEquals(redact("at https://user:pw@h.example/a"), "at https://[redacted]@h.example/a");
});

Deno.test("causes that go round in a circle come to an end", () => {
  const error = new Error("round");
  error.cause = error;
  assertInstanceOf(redactedCause(error, redact), Error);
});

Deno.test("a key where a long text is cut off is taken out whole", () => {
  const text = redact("x".repeat(4090) + "sk-secret");
  assertEquals(text.includes("sk-"), false);
});
