import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { stub } from "@std/testing/mock";
import { ApiRedirectError, ApiStatusError, RestClient } from "@hpcai/rx";
import { firstValueFrom } from "rxjs";
import { type ReceivedRequest, serve } from "./loopback_server.ts";

const apiKey = "key-7d1f";
const callersHeaders = { "Authorization": "Bearer callers-token", "X-Team": "callers-team" };
const archive = new TextEncoder().encode("the bytes of an archive");

const redirectTo = (location: string, status = 302) =>
  new Response(null, { status, headers: { Location: location } });
const archiveResponse = () =>
  new Response(archive, { headers: { "Content-Type": "application/gzip" } });

const clientOf = (baseUrl: string) =>
  new RestClient({ apiKey, baseUrl, headers: callersHeaders, retry: false });
const download = (baseUrl: string) =>
  firstValueFrom(clientOf(baseUrl).downloadCheckpointArchive$("run", "final"));

/** The secrets among a request's headers. */
function secretsOf(request: ReceivedRequest | undefined): string[] {
  assert(request !== undefined);
  return [...request.headers].filter(([, value]) =>
    [apiKey, ...Object.values(callersHeaders)].includes(value)
  ).map(([name]) => name);
}
const ALL_SECRETS = ["authorization", "x-api-key", "x-team"];

for (const status of [301, 302, 303, 307, 308]) {
  Deno.test(`downloadCheckpointArchive$ follows a ${status} to another host without the key and the caller's headers`, async () => {
    await using storage = serve(archiveResponse);
    await using api = serve(() =>
      redirectTo(`${storage.otherUrl}/object?signature=s3cret`, status)
    );
    assertEquals(await download(api.url), archive);
    assertEquals(secretsOf(api.requests[0]), ALL_SECRETS);
    assertEquals(storage.requests.length, 1);
    assertEquals(secretsOf(storage.requests[0]), []);
    assertEquals(storage.requests[0]?.url, `${storage.otherUrl}/object?signature=s3cret`);
    assertEquals(storage.requests[0]?.headers.get("Accept"), "application/gzip");
  });

  Deno.test(`downloadCheckpointArchive$ follows a ${status} within the API's origin with the key and the caller's headers`, async () => {
    await using api = serve(({ url }) =>
      url.endsWith("/archive") ? redirectTo("../moved?to=here", status) : archiveResponse()
    );
    assertEquals(await download(api.url), archive);
    assertEquals(api.requests.map(secretsOf), [ALL_SECRETS, ALL_SECRETS]);
  });
}

Deno.test("downloadCheckpointArchive$ follows a redirect to another port without the key", async () => {
  await using storage = serve(archiveResponse);
  await using api = serve(() => redirectTo(`${storage.url}/object`));
  assertEquals(await download(api.url), archive);
  assertEquals(secretsOf(storage.requests[0]), []);
});

Deno.test("downloadCheckpointArchive$ follows a redirect to another name of the host without the key", async () => {
  await using api = serve(({ url }) =>
    url.startsWith("http://localhost")
      ? archiveResponse()
      : redirectTo(url.replace("127.0.0.1", "localhost"))
  );
  assertEquals(await download(api.url), archive);
  assertEquals(api.requests.map(secretsOf), [ALL_SECRETS, []]);
});

Deno.test("downloadCheckpointArchive$ follows a redirect back to the API's origin without the key", async () => {
  await using storage = serve(() => redirectTo(`${api.url}/public`));
  await using api = serve(({ url }) =>
    url.endsWith("/public") ? archiveResponse() : redirectTo(`${storage.otherUrl}/detour`)
  );
  assertEquals(await download(api.url), archive);
  assertEquals(api.requests.map(secretsOf), [ALL_SECRETS, []]);
  assertEquals(secretsOf(storage.requests[0]), []);
});

Deno.test("downloadCheckpointArchive$ requests the URL of a JSON response without the key and the caller's headers", async () => {
  await using storage = serve(({ url }) =>
    url.endsWith("/moved") ? archiveResponse() : redirectTo(`${storage.otherUrl}/moved`)
  );
  await using api = serve(() => Response.json({ url: `${storage.otherUrl}/object` }));
  assertEquals(await download(api.url), archive);
  assertEquals(storage.requests.map(secretsOf), [[], []]);
});

Deno.test("listCheckpoints$ follows a redirect to another origin without secrets", async () => {
  await using elsewhere = serve(() => Response.json({ checkpoints: [] }));
  await using api = serve(() => redirectTo(`${elsewhere.otherUrl}/elsewhere`));
  assertEquals(await firstValueFrom(clientOf(api.url).listCheckpoints$("run")), {
    checkpoints: [],
  });
  assertEquals(secretsOf(elsewhere.requests[0]), []);
});

Deno.test("deleteCheckpoint$ follows a 307 as a DELETE, and fails on a 303", async () => {
  await using api = serve(({ url }) =>
    url.endsWith("/moved") ? new Response() : redirectTo("/moved", url.includes("/see") ? 303 : 307)
  );
  await firstValueFrom(clientOf(api.url).deleteCheckpoint$("run", "final"));
  await assertRejects(
    () => firstValueFrom(clientOf(api.url).deleteCheckpoint$("see", "final")),
    ApiRedirectError,
  );
  assertEquals(api.requests.map(({ method }) => method), ["DELETE", "DELETE", "DELETE"]);
});

Deno.test("downloadCheckpointArchive$ follows five redirects", async () => {
  await using api = serve(() => api.requests.length <= 5 ? redirectTo("/next") : archiveResponse());
  assertEquals(await download(api.url), archive);
  assertEquals(api.requests.length, 6);
});

Deno.test("downloadCheckpointArchive$ fails at a sixth redirect, without a retry", async () => {
  await using api = serve(() => redirectTo("/next"));
  const retryingClient = new RestClient({ apiKey, baseUrl: api.url });
  await assertRejects(
    () => firstValueFrom(retryingClient.downloadCheckpointArchive$("run", "final")),
    ApiRedirectError,
    "more than 5 times",
  );
  assertEquals(api.requests.length, 6);
});

Deno.test("downloadCheckpointArchive$ does not follow a redirect from https: to http:, even on loopback", async () => {
  using fetch = stub(
    globalThis,
    "fetch",
    () => Promise.resolve(redirectTo("http://localhost/object?signature=s3cret")),
  );
  const error = await assertRejects(
    () => download("https://127.0.0.1"),
    ApiRedirectError,
    "falls from https: to http:",
  );
  assert(!error.message.includes("s3cret"));
  assertEquals(fetch.calls.length, 1);
});

const invalidTargets: Record<string, [location: string, reason: string]> = {
  "an invalid URL": ["http://[", "no URL"],
  "a URL with credentials": ["http://user:pass@127.0.0.1:1/object", "credentials"],
  "an http: URL of a host that is not loopback": ["http://storage.example/object", "clear text"],
  "a file: URL": ["file:///etc/passwd", "neither https: nor http:"],
  "a data: URL": ["data:application/gzip;base64,H4sI", "neither https: nor http:"],
};
for (const [what, [location, reason]] of Object.entries(invalidTargets)) {
  Deno.test(`downloadCheckpointArchive$ does not follow a redirect to ${what}`, async () => {
    await using api = serve(() => redirectTo(location));
    const error = await assertRejects(() => download(api.url), ApiRedirectError, reason);
    assertEquals(error.requestUrl.startsWith(api.url), true);
    assert(!error.message.includes("pass@"));
  });

  Deno.test(`downloadCheckpointArchive$ does not request ${what} from a JSON response`, async () => {
    await using api = serve(() => Response.json({ url: location }));
    await assertRejects(() => download(api.url), ApiRedirectError, reason);
  });
}

Deno.test("downloadCheckpointArchive$ fails with the status of a redirect without Location", async () => {
  await using api = serve(() => new Response(null, { status: 302 }));
  const error = await assertRejects(() => download(api.url));
  assertInstanceOf(error, ApiStatusError);
  assertEquals(error.status, 302);
});
