// What browsers do with the client's requests, as the README says it. Runs in a page; the servers
// are those of cors.ts: this page's own origin is 127.0.0.1, the other one localhost.
import { RestClient } from "@hpcai/rx";
import { filter, firstValueFrom, lastValueFrom } from "rxjs";
import { cutOnceRead, equal, rejects } from "./assertions.mjs";

/** Checks every fact; gives "ok" or what was otherwise. */
export async function checkFacts() {
  const outcomes = {};
  for (const [name, check] of Object.entries(FACTS)) {
    outcomes[name] = await check().then(() => "ok", (error) => `FAIL ${error?.stack ?? error}`);
  }
  return outcomes;
}

const FACTS = {
  async "a redirect hides its target, on the page's own origin too"() {
    const { order, archiveUrl, client, checkpoint } = await api("closed", location.origin);
    await order("fault", { type: "redirect", location: "/closed/elsewhere" });
    const response = await fetch(archiveUrl, { redirect: "manual" });
    equal(response.type, "opaqueredirect");
    equal(response.status, 0);
    equal(response.headers.get("Location"), null);
    await order("fault", { type: "redirect", location: "/closed/elsewhere" });
    await rejects(lastValueFrom(client.download$(checkpoint)), "ApiRedirectError");
  },

  async "a relative base URL needs no key, and sends none"() {
    const { order } = await api("closed", location.origin);
    await order("fault", { type: "status", status: 200, body: EMPTY_PAGE });
    await firstValueFrom(new RestClient({ baseUrl: "/closed" }).listTrainingRuns$());
    equal((await order("requests")).at(-1).apiKey, null);
  },

  async "a server of another origin without CORS headers is a failed connection, even if it answers"() {
    const { order, client } = await api("closed");
    const before = (await order("preflights")).length;
    await rejects(firstValueFrom(client.listTrainingRuns$()), "ApiConnectionError");
    equal((await order("preflights")).length > before, true);
  },

  async "a key makes the browser ask first (preflight), with GET as with DELETE"() {
    const { order, client, checkpoint } = await api("open");
    await firstValueFrom(client.listTrainingRuns$());
    equal(await lastPreflight(order), "GET x-api-key");
    await rejects(
      firstValueFrom(client.deleteCheckpoint$(checkpoint.trainingRunId, "none")),
      "NotFoundError",
    );
    equal(await lastPreflight(order), "DELETE x-api-key");
  },

  async "a signed URL of another origin is asked for at once, since no key goes along"() {
    const { order, client, checkpoint, byteLength } = await api("closed", location.origin);
    const storage = await api("open");
    const before = (await storage.order("preflights")).length;
    const body = JSON.stringify({ url: `${storage.baseUrl}/stored/archive` });
    const headers = { "Content-Type": "application/json" };
    await order("fault", { type: "status", status: 200, headers, body, on: "archive" });
    const { loaded } = await lastValueFrom(client.download$(checkpoint));
    equal(loaded, byteLength);
    equal((await storage.order("preflights")).length, before);
  },

  async "another origin's ETag is hidden unless exposed, so that an archive starts over after a cut"() {
    const { order, client, checkpoint, archiveUrl, headers, byteLength } = await api("open");
    const response = await fetch(archiveUrl, { headers });
    for (const name of ["ETag", "Accept-Ranges"]) equal(response.headers.get(name), null);
    equal(response.headers.get("Content-Length"), String(byteLength));
    await response.body.cancel();

    const seen = (await order("requests")).length;
    await order("fault", { type: "cut", afterBytes: 500_000, on: "archive" });
    const { body } = await lastValueFrom(client.download$(checkpoint));
    equal(body.byteLength, byteLength);
    equal((await order("requests")).slice(seen).map(({ range }) => range).join(), ",");

    const cut = await cutOnceRead(order);
    const options = { to: new WritableStream(), progressIntervalMs: 0 };
    await rejects(
      lastValueFrom(client.download$(checkpoint, options).pipe(cut)),
      "DownloadInterruptedError",
    );
  },

  async "where it is exposed the rest is asked for, and If-Range takes a preflight of its own"() {
    const { order, client, checkpoint, byteLength } = await api("exposing");
    const cut = await cutOnceRead(order);
    const options = { to: new WritableStream(), progressIntervalMs: 0 };
    const { loaded } = await lastValueFrom(client.download$(checkpoint, options).pipe(cut));
    equal(loaded, byteLength);
    equal(/^bytes=[1-9]\d*-$/.test((await order("requests")).at(-1).range), true);
    equal(await lastPreflight(order), "GET if-range,x-api-key");
  },

  async "another origin's Content-Encoding is hidden unless exposed, while the length is the encoded one"() {
    for (const [policy, coding] of [["open", null], ["exposing", "gzip"]]) {
      const { order, client, checkpoint, archiveUrl, headers, byteLength } = await api(policy);
      await order("fault", { type: "encoded", on: "archive" });
      const response = await fetch(archiveUrl, { headers });
      equal(response.headers.get("Content-Encoding"), coding);
      equal(response.headers.get("Content-Length"), String(byteLength));
      const decoded = (await response.arrayBuffer()).byteLength;
      equal(decoded === byteLength, false);

      await order("fault", { type: "encoded", on: "archive" });
      const { loaded } = await lastValueFrom(client.download$(checkpoint));
      equal(loaded, decoded);
    }
  },

  async "another origin's Retry-After is hidden unless exposed"() {
    for (const [policy, expected] of [["open", undefined], ["exposing", 7000]]) {
      const { order, once } = await api(policy);
      await order("fault", { type: "status", status: 429, headers: { "Retry-After": "7" } });
      const error = await rejects(firstValueFrom(once.listTrainingRuns$()), "RateLimitError");
      equal(error.retryAfterMs, expected);
    }
  },

  async "an archive that may be stored is, and its rest is asked for by the browser itself"() {
    const { order, client, checkpoint, byteLength } = await api("exposing", location.origin);
    await order("storable");
    await order("fault", { type: "stall", afterBytes: 300_000, on: "archive" });
    await firstValueFrom(
      client.download$(checkpoint, { progressIntervalMs: 0 }).pipe(
        filter(({ loaded }) => loaded === 300_000),
      ),
    );
    const seen = (await order("requests")).length;
    const { loaded } = await lastValueFrom(client.download$(checkpoint));
    equal(loaded, byteLength);
    equal((await order("requests"))[seen].range?.startsWith("bytes=300000-"), true);
  },

  async "DecompressionStream takes a single gzip member"() {
    const { archiveUrl, headers } = await api("closed", location.origin);
    const { body } = await fetch(archiveUrl, { headers });
    const tar = await new Response(body.pipeThrough(new DecompressionStream("gzip"))).bytes();
    const half = tar.length / 2;
    const members = await Promise.all([gzipped(tar.slice(0, half)), gzipped(tar.slice(half))]);
    const entries = (...parts) => {
      const fetch = () => Promise.resolve(new Response(new Blob(parts)));
      const client = new RestClient({ apiKey: "key", fetch });
      return lastValueFrom(client.archiveEntries$("hpcai://run/weights/final"));
    };
    equal((await entries(await gzipped(tar))).path, "adapter_model.safetensors");
    await rejects(entries(...members), "InvalidArchiveError");
  },
};

const EMPTY_PAGE = '{"training_runs": [], "cursor": {"offset": 0, "limit": 20, "total_count": 0}}';

/** The server with a policy, and clients of it that try again, or only once. */
async function api(policy, origin = location.origin.replace("127.0.0.1", "localhost")) {
  const order = async (name, body = null) => {
    const request = { method: "POST", body: JSON.stringify(body) };
    return (await fetch(`/${policy}/order/${name}`, request)).json();
  };
  const { apiKey, checkpoint, byteLength } = await order("facts");
  const baseUrl = `${origin}/${policy}`;
  const { trainingRunId, checkpointId } = checkpoint;
  return {
    order,
    checkpoint,
    byteLength,
    baseUrl,
    archiveUrl:
      `${baseUrl}/api/v1/training_runs/${trainingRunId}/checkpoints/${checkpointId}/archive`,
    headers: { "X-API-Key": apiKey },
    client: new RestClient({ apiKey, baseUrl, retry: { maxRetries: 1, initialDelayMs: 1 } }),
    once: new RestClient({ apiKey, baseUrl, retry: false }),
  };
}

async function lastPreflight(order) {
  const { method, headers } = (await order("preflights")).at(-1);
  return `${method} ${headers}`;
}

function gzipped(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
