/** Tests of apiProxy with sockets: a client as in a page, the proxy, and the fake API. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { NotFoundError, RestClient } from "@hpcai/rx";
import { apiProxy } from "@hpcai/rx/proxy";
import { FakeHpcai } from "@hpcai/rx/testing";
import { filter, firstValueFrom, lastValueFrom, toArray } from "rxjs";
import {
  ChunkedResponse,
  type LoopbackServer,
  serve,
  tarChunk,
} from "../integration/loopback_server.ts";
import { stubGlobal } from "../stub_global.ts";
import { RUN_ID } from "./proxy_fixture.ts";

/** Runs a test in a page on the origin of the proxy, whose client has a relative base URL. */
async function inPage(
  { api, apiKey }: { readonly api: LoopbackServer; readonly apiKey: string },
  test: (client: RestClient, proxy: LoopbackServer) => Promise<void>,
): Promise<void> {
  await using proxy = serve(apiProxy({ apiKey, baseUrl: `${api.url}/finetunesdk` }));
  using _location = stubGlobal("location", { href: `${proxy.url}/runs/7` });
  await test(new RestClient({ baseUrl: "/hpcai", retry: { initialDelayMs: 1 } }), proxy);
}

Deno.test("apiProxy lists and deletes for a page without a key", async () => {
  const fake = new FakeHpcai({ trainingRuns: 30, maxPageSize: 20 });
  await using api = serve(fake.handler);
  await inPage({ api, apiKey: fake.apiKey }, async (client, proxy) => {
    const runs = await firstValueFrom(client.listAllTrainingRuns$().pipe(toArray()));
    assertEquals(runs.map(({ trainingRunId }) => trainingRunId), fake.trainingRunIds);
    await firstValueFrom(client.deleteCheckpoint$(RUN_ID, "final"));
    const { checkpoints } = await firstValueFrom(client.listCheckpoints$(RUN_ID));
    assertEquals(checkpoints.some(({ checkpointId }) => checkpointId === "final"), false);
    assert(proxy.requests.every(({ headers }) => !headers.has("X-API-Key")));
  });
});

for (const archiveResponse of ["bytes", "redirect", "json"] as const) {
  Deno.test(`apiProxy downloads and resumes an archive as ${archiveResponse}`, async () => {
    const fake = new FakeHpcai({ archiveResponse });
    await using api = serve(fake.handler);
    const on = archiveResponse === "bytes" ? "archive" : "storage";
    fake.faults.add({ type: "cut", afterBytes: 300_000 }, { on });
    await inPage({ api, apiKey: fake.apiKey }, async (client) => {
      const path = `hpcai://${RUN_ID}/weights/final`;
      const { body } = await lastValueFrom(
        client.download$(path).pipe(filter((event) => event.type === "complete")),
      );
      assertEquals(body, fake.archive(RUN_ID, "final").slice());
    });
    const ranges = fake.requests.flatMap(({ headers }) => headers.get("Range") ?? []);
    assert(ranges.length > 0);
    for (const { operation, headers } of fake.requests) {
      assertEquals(headers.get("X-API-Key"), operation === "storage" ? null : fake.apiKey);
    }
  });
}

Deno.test("apiProxy returns errors that RestClient in a page maps to their classes", async () => {
  const fake = new FakeHpcai();
  await using api = serve(fake.handler);
  await inPage({ api, apiKey: fake.apiKey }, async (client) => {
    const error = await firstValueFrom(client.getTrainingRun$("none")).catch((error) => error);
    assertInstanceOf(error, NotFoundError);
    assertEquals(error.problem, "HTTP 404: Training run none not found");
  });
});

Deno.test("apiProxy aborts the archive of the API when a page unsubscribes", async () => {
  const archive = new ChunkedResponse(() => Promise.resolve(tarChunk(65_536)));
  await using api = serve(() => archive.response);
  await inPage({ api, apiKey: "key-of-the-server" }, async (client) => {
    const path = `hpcai://${RUN_ID}/weights/final`;
    await firstValueFrom(
      client.download$(path, { to: new WritableStream(), progressIntervalMs: 1 }).pipe(
        filter(({ loaded }) => loaded > 0),
      ),
    );
    await archive.whenCanceled;
  });
});

/** Sends a request with exactly this path and host, and returns the status. */
async function rawStatus(proxy: LoopbackServer, path: string, host: string): Promise<number> {
  const { hostname, port } = new URL(proxy.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  const response = await new Response(connection.readable).text();
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(response)?.[1]);
}

Deno.test("apiProxy refuses other hosts and ambiguous paths of raw requests", async () => {
  const fake = new FakeHpcai();
  await using api = serve(fake.handler);
  await using proxy = serve(apiProxy({ apiKey: fake.apiKey, baseUrl: api.url }));
  const { host } = new URL(proxy.url);
  assertEquals(await rawStatus(proxy, "/hpcai/api/v1/training_runs", host), 200);
  assertEquals(await rawStatus(proxy, "/hpcai/api/v1/training_runs", "rebound.example"), 403);
  for (
    const path of [
      "/api/v1/training_runs/..%2f..%2fusers",
      "/api/v1/training_runs/../../users",
      "/api/v1/training_runs/%2e%2e/users",
      "/api/v1/training_runs//checkpoints",
      "/api/v1/training_runs/r\\checkpoints\\..",
    ]
  ) {
    assertEquals(await rawStatus(proxy, path, host), 404, path);
  }
  assertEquals(fake.requests.length, 1);
});
