import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { type ClientEvent, HpcaiError, RestClient } from "@hpcai/rx";
import { lastValueFrom } from "rxjs";
import { loggedText } from "./logged_text.ts";
import { serve } from "./loopback_server.ts";
import { type RawResponder, responseText, serveRaw } from "./raw_responses.ts";

const apiKey = "key/7d1f+9a0c=e5";
const SIGNATURE = "s1gn4ture";
const SIGNED = `/object.tar.gz?X-Amz-Expires=900&X-Amz-Signature=${SIGNATURE}`;

/** Downloads through a signed URL; returns all that a log can contain of the failure. */
async function failureText(storageUrl: string, archiveResponse: (location: string) => Response) {
  await using api = serve(() => archiveResponse(`${storageUrl}${SIGNED}`));
  const client = new RestClient({
    apiKey,
    baseUrl: api.url,
    retry: { maxRetries: 1, initialDelayMs: 0 },
  });
  const events: ClientEvent[] = [];
  client.events$.subscribe((event) => events.push(event));
  const error = await assertRejects(() =>
    lastValueFrom(client.download$({ trainingRunId: "run", checkpointId: "final" }))
  );
  assertInstanceOf(error, HpcaiError);
  assert(events.length > 0);
  return loggedText({ error, events }) + loggedText(error) +
    events.map(loggedText).join("\n");
}

function assertHasNoSecret(text: string): void {
  for (const secret of [apiKey, SIGNATURE]) {
    const at = text.indexOf(secret);
    assertEquals(at < 0 ? "" : text.slice(Math.max(0, at - 200), at + 50), "");
  }
}

const archiveResponses: Record<string, (location: string) => Response> = {
  "a redirect": (location) => new Response(null, { status: 302, headers: { Location: location } }),
  "a URL as JSON": (location) => Response.json({ url: location }),
};

/** Responses of storages, from the head of the request; each makes the download fail. */
const failures: Record<string, RawResponder> = {
  "whose storage responds with 403": async (connection) => {
    await connection.write(responseText(["Content-Length: 0"], "", "403 Forbidden"));
    connection.end();
  },
  "whose storage repeats the URL in an error": async (connection) => {
    const body = JSON.stringify({
      error: "denied",
      message: `no access to https://storage.example${SIGNED} with ${apiKey}`,
      details: { url: `http://127.0.0.1${SIGNED}`, seen: [{ "x-api-key": apiKey }] },
    });
    await connection.write(responseText([`Content-Length: ${body.length}`], body, "403 Forbidden"));
    connection.end();
  },
  "whose storage repeats path and query in an error": async (connection) => {
    const body = `<pre>Cannot GET ${SIGNED}</pre>`;
    await connection.write(responseText([`Content-Length: ${body.length}`], body, "404 Not Found"));
    connection.end();
  },
  "whose storage repeats path and query in an error, escaped for HTML": async (connection) => {
    const body = `<pre>Cannot GET ${SIGNED.replaceAll("&", "&amp;")}</pre>`;
    await connection.write(responseText([`Content-Length: ${body.length}`], body, "404 Not Found"));
    connection.end();
  },
  "whose storage repeats the signature in an error": async (connection) => {
    const body = `<Error><SignatureProvided>${SIGNATURE}</SignatureProvided></Error>`;
    await connection.write(responseText([`Content-Length: ${body.length}`], body, "403 Forbidden"));
    connection.end();
  },
  "whose storage resets the connection": (connection) => connection.reset(),
  "whose storage does not send HTTP": async (connection) => {
    await connection.write(`nonsense ${SIGNED}\r\n\r\n`);
    connection.end();
  },
  "whose storage ends the connection within the archive": async (connection) => {
    await connection.write(responseText(["Content-Length: 100"], "not a hundred bytes"));
    connection.end();
  },
  "whose storage redirects to another host over http:": async (connection) => {
    const location = `Location: http://storage.example${SIGNED}`;
    await connection.write(responseText([location, "Content-Length: 0"], "", "302 Found"));
    connection.end();
  },
  "whose storage redirects to an invalid URL": async (connection) => {
    const location = `Location: http://[${SIGNED}`;
    await connection.write(responseText([location, "Content-Length: 0"], "", "302 Found"));
    connection.end();
  },
  "whose storage responds with a page": async (connection) => {
    const body = `<html><body>Sign in to see ${SIGNED}</body></html>`;
    const headers = ["Content-Type: text/html", `Content-Length: ${body.length}`];
    await connection.write(responseText(headers, body));
    connection.end();
  },
};

for (const [how, archiveResponse] of Object.entries(archiveResponses)) {
  for (const [what, failure] of Object.entries(failures)) {
    Deno.test(`download$ reports no secret in the failure of ${how} ${what}`, async () => {
      await using storage = await serveRaw(failure, failure);
      assertHasNoSecret(await failureText(storage.url, archiveResponse));
    });
  }

  Deno.test(`download$ reports no secret in the failure of ${how} whose storage does not exist`, async () => {
    const storage = await serveRaw();
    await storage[Symbol.asyncDispose]();
    assertHasNoSecret(await failureText(storage.url, archiveResponse));
  });
}

Deno.test("download$ reports no secret in the error of an invalid JSON response", async () => {
  const wrong = (location: string) => Response.json({ URL: location, path: SIGNED, key: apiKey });
  assertHasNoSecret(await failureText("http://127.0.0.1:1", wrong));
});

const hex = (text: string) => [...text].map((c) => c.charCodeAt(0).toString(16));
/** Encodings of a repeated secret; tests/transport/redact_test.ts has more. */
const encodings: Record<string, (text: string) => string> = {
  "in lower-case percent-encoding": (text) =>
    encodeURIComponent(text).replace(/%../g, (escape) => escape.toLowerCase()),
  "percent-encoded twice": (text) => encodeURIComponent(encodeURIComponent(text)),
  "as decimal entities": (text) => [...text].map((c) => `&#${c.charCodeAt(0)};`).join(""),
  "as hexadecimal entities with zeros": (text) =>
    hex(text).map((code) => `&#x000${code};`).join(""),
  "as named entities": (text) =>
    text.replaceAll("/", "&sol;").replaceAll("+", "&plus;").replaceAll("=", "&equals;"),
  "split by a line break": (text) => `${text.slice(0, 6)}\r\n  ${text.slice(6)}`,
  "split by a line break in JSON": (text) => String.raw`${text.slice(0, 6)}\n${text.slice(6)}`,
  "in Base64": btoa,
};
for (const [how, encode] of Object.entries(encodings)) {
  Deno.test(`download$ reports no secret in the error of a storage that repeats key and signature ${how}`, async () => {
    const body = `<p>No access with ${encode(apiKey)} and ${encode(SIGNATURE)}.</p>`;
    const failure: RawResponder = async (connection) => {
      await connection.write(
        responseText([`Content-Length: ${body.length}`], body, "403 Forbidden"),
      );
      connection.end();
    };
    await using storage = await serveRaw(failure, failure);
    const text = await failureText(
      storage.url,
      (location) => new Response(null, { status: 302, headers: { Location: location } }),
    );
    assertHasNoSecret(text);
    // In Base64, as in an `Authorization` header, only the key is removed.
    for (const secret of how === "in Base64" ? [apiKey] : [apiKey, SIGNATURE]) {
      assert(
        !text.includes(encode(secret)) && !text.includes(JSON.stringify(encode(secret))),
        text,
      );
    }
    assert(text.includes("No access with [redacted]"), text);
  });
}

const refusals: Record<string, string> = {
  "as text": `key ${apiKey} is wrong`,
  "as a value": JSON.stringify({ error: "wrong", details: { headers: [["x-api-key", apiKey]] } }),
  "as a property's name": JSON.stringify({ message: "wrong", details: { [apiKey]: false } }),
};
for (const [how, body] of Object.entries(refusals)) {
  Deno.test(`download$ reports no secret in the error of an API that repeats the key ${how}`, async () => {
    const refusal = () => new Response(body, { status: 401 });
    assertHasNoSecret(await failureText("http://127.0.0.1:1", refusal));
  });
}
