// How browsers treat the client's requests, as the README states. Runs in a page of the servers of
// cors.ts: the origin of the page is 127.0.0.1, the other origin is localhost.
import { RestClient } from "@hpcai/rx";
import { filter, firstValueFrom, lastValueFrom } from "rxjs";
import { cutAfterRead, equal, rejects } from "./assertions.mjs";

/** Checks every fact; returns "ok" or the failure for each. */
export async function checkFacts() {
  const outcomes = {};
  for (const [name, check] of Object.entries(FACTS)) {
    outcomes[name] = await check().then(() => "ok", (error) => `FAIL ${error?.stack ?? error}`);
  }
  return outcomes;
}

const FACTS = {
  async "fetch hides the target of a redirect, even on the origin of the page"() {
    const { control, archiveUrl, client, checkpoint } = await api("closed", location.origin);
    await control("fault", { type: "redirect", location: "/closed/elsewhere" });
    const response = await fetch(archiveUrl, { redirect: "manual" });
    equal(response.type, "opaqueredirect");
    equal(response.status, 0);
    equal(response.headers.get("Location"), null);
    await control("fault", { type: "redirect", location: "/closed/elsewhere" });
    await rejects(lastValueFrom(client.download$(checkpoint)), "ApiRedirectError");
  },

  async "a relative base URL requires and sends no key"() {
    const { control } = await api("closed", location.origin);
    await control("fault", { type: "status", status: 200, body: EMPTY_PAGE });
    await firstValueFrom(new RestClient({ baseUrl: "/closed" }).listTrainingRuns$());
    equal((await control("requests")).at(-1).apiKey, null);
  },

  async "a response of another origin without CORS headers is an ApiConnectionError"() {
    const { control, client } = await api("closed");
    const before = (await control("preflights")).length;
    await rejects(firstValueFrom(client.listTrainingRuns$()), "ApiConnectionError");
    equal((await control("preflights")).length > before, true);
  },

  async "the key causes a preflight for GET and for DELETE"() {
    const { control, client, checkpoint } = await api("open");
    await firstValueFrom(client.listTrainingRuns$());
    equal(await lastPreflight(control), "GET x-api-key");
    await rejects(
      firstValueFrom(client.deleteCheckpoint$(checkpoint.trainingRunId, "none")),
      "NotFoundError",
    );
    equal(await lastPreflight(control), "DELETE x-api-key");
  },

  async "a signed URL of another origin causes no preflight, because it gets no key"() {
    const { control, client, checkpoint, byteLength } = await api("closed", location.origin);
    const storage = await api("open");
    const before = (await storage.control("preflights")).length;
    const body = JSON.stringify({ url: `${storage.baseUrl}/stored/archive` });
    const headers = { "Content-Type": "application/json" };
    await control("fault", { type: "status", status: 200, headers, body, on: "archive" });
    const { loaded } = await lastValueFrom(client.download$(checkpoint));
    equal(loaded, byteLength);
    equal((await storage.control("preflights")).length, before);
  },

  async "the ETag of another origin is hidden unless exposed, so that a download restarts after a cut"() {
    const { control, client, checkpoint, archiveUrl, headers, byteLength } = await api("open");
    const response = await fetch(archiveUrl, { headers });
    for (const name of ["ETag", "Accept-Ranges"]) equal(response.headers.get(name), null);
    equal(response.headers.get("Content-Length"), String(byteLength));
    await response.body.cancel();

    const previous = (await control("requests")).length;
    await control("fault", { type: "cut", afterBytes: 500_000, on: "archive" });
    const { body } = await lastValueFrom(client.download$(checkpoint));
    equal(body.byteLength, byteLength);
    equal((await control("requests")).slice(previous).map(({ range }) => range).join(), ",");

    const cut = await cutAfterRead(control);
    const options = { to: new WritableStream(), progressIntervalMs: 0 };
    await rejects(
      lastValueFrom(client.download$(checkpoint, options).pipe(cut)),
      "DownloadInterruptedError",
    );
  },

  async "an exposed ETag lets a download resume, and If-Range causes another preflight"() {
    const { control, client, checkpoint, byteLength } = await api("exposing");
    const cut = await cutAfterRead(control);
    const options = { to: new WritableStream(), progressIntervalMs: 0 };
    const { loaded } = await lastValueFrom(client.download$(checkpoint, options).pipe(cut));
    equal(loaded, byteLength);
    equal(/^bytes=[1-9]\d*-$/.test((await control("requests")).at(-1).range), true);
    equal(await lastPreflight(control), "GET if-range,x-api-key");
  },

  async "the Content-Encoding of another origin is hidden unless exposed; Content-Length counts encoded bytes"() {
    for (const [policy, coding] of [["open", null], ["exposing", "gzip"]]) {
      const { control, client, checkpoint, archiveUrl, headers, byteLength } = await api(policy);
      await control("fault", { type: "encoded", on: "archive" });
      const response = await fetch(archiveUrl, { headers });
      equal(response.headers.get("Content-Encoding"), coding);
      equal(response.headers.get("Content-Length"), String(byteLength));
      const decodedBytes = (await response.arrayBuffer()).byteLength;
      equal(decodedBytes === byteLength, false);

      await control("fault", { type: "encoded", on: "archive" });
      const { loaded } = await lastValueFrom(client.download$(checkpoint));
      equal(loaded, decodedBytes);
    }
  },

  async "the Retry-After of another origin is hidden unless exposed"() {
    for (const [policy, expected] of [["open", undefined], ["exposing", 7000]]) {
      const { control, withoutRetry } = await api(policy);
      await control("fault", { type: "status", status: 429, headers: { "Retry-After": "7" } });
      const error = await rejects(
        firstValueFrom(withoutRetry.listTrainingRuns$()),
        "RateLimitError",
      );
      equal(error.retryAfterMs, expected);
    }
  },

  async "the browser caches part of an archive without no-store and requests the rest itself"() {
    const { control, client, checkpoint, byteLength } = await api("exposing", location.origin);
    await control("allow-caching");
    await control("fault", { type: "stall", afterBytes: 300_000, on: "archive" });
    await firstValueFrom(
      client.download$(checkpoint, { progressIntervalMs: 0 }).pipe(
        filter(({ loaded }) => loaded === 300_000),
      ),
    );
    const previous = (await control("requests")).length;
    const { loaded } = await lastValueFrom(client.download$(checkpoint));
    equal(loaded, byteLength);
    equal((await control("requests"))[previous].range?.startsWith("bytes=300000-"), true);
  },

  async "DecompressionStream supports a single gzip member only"() {
    const { archiveUrl, headers } = await api("closed", location.origin);
    const { body } = await fetch(archiveUrl, { headers });
    const tar = await new Response(body.pipeThrough(new DecompressionStream("gzip"))).bytes();
    const half = tar.length / 2;
    const members = await Promise.all([gzip(tar.slice(0, half)), gzip(tar.slice(half))]);
    const entries = (...parts) => {
      const fetch = () => Promise.resolve(new Response(new Blob(parts)));
      const client = new RestClient({ apiKey: "key", fetch });
      return lastValueFrom(client.archiveEntries$("hpcai://run/weights/final"));
    };
    equal((await entries(await gzip(tar))).path, "adapter_model.safetensors");
    await rejects(entries(...members), "InvalidArchiveError");
  },
};

const EMPTY_PAGE = '{"training_runs": [], "cursor": {"offset": 0, "limit": 20, "total_count": 0}}';

/** The server with a CORS policy, a client that retries once, and one that does not retry. */
async function api(policy, origin = location.origin.replace("127.0.0.1", "localhost")) {
  const control = async (name, body = null) => {
    const request = { method: "POST", body: JSON.stringify(body) };
    return (await fetch(`/${policy}/control/${name}`, request)).json();
  };
  const { apiKey, checkpoint, byteLength } = await control("facts");
  const baseUrl = `${origin}/${policy}`;
  const { trainingRunId, checkpointId } = checkpoint;
  return {
    control,
    checkpoint,
    byteLength,
    baseUrl,
    archiveUrl:
      `${baseUrl}/api/v1/training_runs/${trainingRunId}/checkpoints/${checkpointId}/archive`,
    headers: { "X-API-Key": apiKey },
    client: new RestClient({ apiKey, baseUrl, retry: { maxRetries: 1, initialDelayMs: 1 } }),
    withoutRetry: new RestClient({ apiKey, baseUrl, retry: false }),
  };
}

async function lastPreflight(control) {
  const { method, headers } = (await control("preflights")).at(-1);
  return `${method} ${headers}`;
}

function gzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
