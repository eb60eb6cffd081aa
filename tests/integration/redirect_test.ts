import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { stub } from "@std/testing/mock";
import { ApiRedirectError, ApiStatusError, RestClient } from "@hpcai/rx";
import { firstValueFrom } from "rxjs";
import { type ReceivedRequest, serve } from "./loopback_server.ts";

const apiKey = "key-7d1f";
const callersHeaders = { "Authorization": "Bearer callers-token", "X-Team": "callers-team" };
const archive = new TextEncoder().encode("the bytes of an archive");

const found = (location: string, status = 302) =>
  new Response(null, { status, headers: { Location: location } });
const bytes = () => new Response(archive, { headers: { "Content-Type": "application/gzip" } });

const client = (baseUrl: string) =>
  new RestClient({ apiKey, baseUrl, headers: callersHeaders, retry: false });
const download = (baseUrl: string) =>
  firstValueFrom(client(baseUrl).downloadCheckpointArchive$("run", "final"));

/** The secrets among a request's headers. */
function secretsOf(request: ReceivedRequest | undefined): string[] {
  assert(request !== undefined);
  return [...request.headers].filter(([, value]) =>
    [apiKey, ...Object.values(callersHeaders)].includes(value)
  ).map(([name]) => name);
}
const ALL_SECRETS = ["authorization", "x-api-key", "x-team"];

for (const status of [301, 302, 303, 307, 308]) {
  Deno.test(`a ${status} to another host is followed without the key and the caller's headers`, async () => {
    await using storage = serve(bytes);
    await using api = serve(() => found(`${storage.otherUrl}/object?signature=s3cret`, status));
    assertEquals(await download(api.url), archive);
    assertEquals(secretsOf(api.requests[0]), ALL_SECRETS);
    assertEquals(storage.requests.length, 1);
    assertEquals(secretsOf(storage.requests[0]), []);
    assertEquals(storage.requests[0]?.url, `${storage.otherUrl}/object?signature=s3cret`);
    assertEquals(storage.requests[0]?.headers.get("Accept"), "application/gzip");
  });

  Deno.test(`a ${status} within the API's origin is followed with the key and the caller's headers`, async () => {
    await using api = serve(({ url }) =>
      url.endsWith("/archive") ? found("../moved?to=here", status) : bytes()
    );
    assertEquals(await download(api.url), archive);
    assertEquals(api.requests.map(secretsOf), [ALL_SECRETS, ALL_SECRETS]);
  });
}

Deno.test("a redirect to another port is followed without the key", async () => {
  await using storage = serve(bytes);
  await using api = serve(() => found(`${storage.url}/object`));
  assertEquals(await download(api.url), archive);
  assertEquals(secretsOf(storage.requests[0]), []);
});

Deno.test("a redirect to another name of the host is followed without the key", async () => {
  await using api = serve(({ url }) =>
    url.startsWith("http://localhost") ? bytes() : found(url.replace("127.0.0.1", "localhost"))
  );
  assertEquals(await download(api.url), archive);
  assertEquals(api.requests.map(secretsOf), [ALL_SECRETS, []]);
});

Deno.test("a redirect back to the API's origin is followed without the key", async () => {
  await using storage = serve(() => found(`${api.url}/public`));
  await using api = serve(({ url }) =>
    url.endsWith("/public") ? bytes() : found(`${storage.otherUrl}/detour`)
  );
  assertEquals(await download(api.url), archive);
  assertEquals(api.requests.map(secretsOf), [ALL_SECRETS, []]);
  assertEquals(secretsOf(storage.requests[0]), []);
});

Deno.test("a URL in a JSON response is requested without the key and the caller's headers", async () => {
  await using storage = serve(({ url }) =>
    url.endsWith("/moved") ? bytes() : found(`${storage.otherUrl}/moved`)
  );
  await using api = serve(() => Response.json({ url: `${storage.otherUrl}/object` }));
  assertEquals(await download(api.url), archive);
  assertEquals(storage.requests.map(secretsOf), [[], []]);
});

Deno.test("a JSON operation follows a redirect to another origin without secrets", async () => {
  await using elsewhere = serve(() => Response.json({ checkpoints: [] }));
  await using api = serve(() => found(`${elsewhere.otherUrl}/elsewhere`));
  assertEquals(await firstValueFrom(client(api.url).listCheckpoints$("run")), { checkpoints: [] });
  assertEquals(secretsOf(elsewhere.requests[0]), []);
});

Deno.test("deleteCheckpoint$ follows a 307 as a DELETE, and fails on a 303", async () => {
  await using api = serve(({ url }) =>
    url.endsWith("/moved") ? new Response() : found("/moved", url.includes("/see") ? 303 : 307)
  );
  await firstValueFrom(client(api.url).deleteCheckpoint$("run", "final"));
  await assertRejects(
    () => firstValueFrom(client(api.url).deleteCheckpoint$("see", "final")),
    ApiRedirectError,
  );
  assertEquals(api.requests.map(({ method }) => method), ["DELETE", "DELETE", "DELETE"]);
});

Deno.test("five redirects are followed", async () => {
  await using api = serve(() => api.requests.length <= 5 ? found("/next") : bytes());
  assertEquals(await download(api.url), archive);
  assertEquals(api.requests.length, 6);
});

Deno.test("a sixth redirect is not followed, and nothing is retried", async () => {
  await using api = serve(() => found("/next"));
  const patient = new RestClient({ apiKey, baseUrl: api.url });
  await assertRejects(
    () => firstValueFrom(patient.downloadCheckpointArchive$("run", "final")),
    ApiRedirectError,
    "more than 5 times",
  );
  assertEquals(api.requests.length, 6);
});

Deno.test("a redirect from https: to http: is not followed, even on loopback", async () => {
  using fetch = stub(
    globalThis,
    "fetch",
    () => Promise.resolve(found("http://localhost/object?signature=s3cret")),
  );
  const error = await assertRejects(
    () => download("https://127.0.0.1"),
    ApiRedirectError,
    "falls from https: to http:",
  );
  assert(!error.message.includes("s3cret"));
  assertEquals(fetch.calls.length, 1);
});

const refused: Record<string, [location: string, reason: string]> = {
  "what is no URL": ["http://[", "no URL"],
  "a URL with credentials": ["http://user:pass@127.0.0.1:1/object", "credentials"],
  "http: to a host that is not loopback": ["http://storage.example/object", "clear text"],
  "a file": ["file:///etc/passwd", "neither https: nor http:"],
  "data": ["data:application/gzip;base64,H4sI", "neither https: nor http:"],
};
for (const [what, [location, reason]] of Object.entries(refused)) {
  Deno.test(`a redirect to ${what} is not followed`, async () => {
    await using api = serve(() => found(location));
    const error = await assertRejects(() => download(api.url), ApiRedirectError, reason);
    assertEquals(error.requestUrl.startsWith(api.url), true);
    assert(!error.message.includes("pass@"));
  });

  Deno.test(`a JSON response with the URL of ${what} is not followed`, async () => {
    await using api = serve(() => Response.json({ url: location }));
    await assertRejects(() => download(api.url), ApiRedirectError, reason);
  });
}

Deno.test("a redirect without Location is an error of its status", async () => {
  await using api = serve(() => new Response(null, { status: 302 }));
  const error = await assertRejects(() => download(api.url));
  assertInstanceOf(error, ApiStatusError);
  assertEquals(error.status, 302);
});
