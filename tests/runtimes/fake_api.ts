import { FakeHpcai } from "@hpcai/rx/testing";
import { concatenate } from "../../src/testing/concatenate.ts";
import { TAR_END, tarEntry } from "../../src/testing/tar_header.ts";
import type { Handler } from "./serve.ts";

/** The facts of a request that the scenario checks. */
interface RequestFacts {
  readonly operation: string | undefined;
  readonly range: string | null;
  readonly apiKey: string | null;
}

const CONTROL_PATH = /\/control\/([a-z-]+)$/;
const STORED_PATH = "/stored/archive";

/** How many bytes of an archive pass the closed gate. */
const GATE_AFTER_BYTES = 2 ** 18;

/**
 * The fake API of one runtime. scenario.mjs controls the server with `POST <base URL>/control/<name>`.
 */
export function fakeApi(): Handler {
  const fake = new FakeHpcai({ trainingRuns: 250 });
  const storageRequests: RequestFacts[] = [];
  let disconnect = Promise.withResolvers<void>();
  let gate: PromiseWithResolvers<void> | undefined;
  let isOffsetIgnored = false;
  let isCacheable = false;

  const [trainingRunId = ""] = fake.trainingRunIds;
  const [{ checkpointId, checkpointPath } = { checkpointId: "", checkpointPath: "" }] = fake
    .checkpoints(trainingRunId);
  const archive = fake.archive(trainingRunId, checkpointId);

  const commands: Record<string, (request: Request) => unknown> = {
    /** The data that the scenario compares with. */
    facts: async () => ({
      apiKey: fake.apiKey,
      trainingRunIds: fake.trainingRunIds,
      checkpoint: { trainingRunId, checkpointId },
      checkpointPath,
      byteLength: archive.byteLength,
      sha256: await sha256(archive.slice(0, archive.byteLength)),
    }),
    fault: async (request) => {
      const { on, ...fault } = await request.json();
      fake.faults.add(fault, { on });
    },
    /** Redirects the next archive request to another origin of this server. */
    redirect: (request) => {
      const url = new URL(request.url);
      url.hostname = url.hostname === "localhost" ? "127.0.0.1" : "localhost";
      const location = url.href.replace(CONTROL_PATH, STORED_PATH);
      fake.faults.add({ type: "redirect", location }, { on: "archive" });
    },
    /** Makes the entry of the next archive point outside the target directory. */
    "unsafe-archive": () => {
      const tar = concatenate([
        tarEntry("../outside", new Uint8Array(1), 0),
        new Uint8Array(TAR_END),
      ]);
      const headers = { "Content-Type": "application/gzip" };
      const body = new TextDecoder().decode(tar);
      fake.faults.add({ type: "status", status: 200, headers, body }, { on: "archive" });
    },
    /** Makes every page the first one, or ends that. */
    "ignore-offset": async (request) => void (isOffsetIgnored = await request.json()),
    /** Permits caches to store the responses. */
    "allow-caching": () => void (isCacheable = true),
    /** Stops archives half-way until the gate is opened. */
    "close-gate": () => void (gate = Promise.withResolvers()),
    "open-gate": () => gate?.resolve(),
    "watch-disconnects": () => void (disconnect = Promise.withResolvers()),
    /** Responds once a client has disconnected during a body. */
    disconnect: () => disconnect.promise,
    requests: (): RequestFacts[] => [
      ...fake.requests.map(({ operation, headers }) => toFacts(operation, headers)),
      ...storageRequests,
    ],
  };

  return async (request, whenDisconnected) => {
    const { pathname } = new URL(request.url);
    const command = commands[CONTROL_PATH.exec(pathname)?.[1] ?? ""];
    if (command !== undefined) return Response.json(await command(request) ?? null);
    if (pathname.endsWith(STORED_PATH)) {
      storageRequests.push(toFacts("storage", request.headers));
      return new Response(archive.stream(), { headers: { "Content-Type": "application/gzip" } });
    }
    whenDisconnected.then(() => disconnect.resolve());
    const { status, headers, body } = await fake.handler(
      isOffsetIgnored ? withoutOffset(request) : request,
    );
    // Otherwise Chromium caches part of an archive, and sends range requests of its own.
    if (!isCacheable) headers.set("Cache-Control", "no-store");
    const whenOpen = pathname.endsWith("/archive") ? gate?.promise : undefined;
    const sentBody = whenOpen === undefined || body === null ? body : gateBody(body, whenOpen);
    return new Response(sentBody, { status, headers });
  };
}

function toFacts(operation: string | undefined, headers: Headers): RequestFacts {
  return { operation, range: headers.get("Range"), apiKey: headers.get("X-API-Key") };
}

function withoutOffset(request: Request): Request {
  const url = new URL(request.url);
  url.searchParams.delete("offset");
  return new Request(url, { method: request.method, headers: request.headers });
}

/** Stops a body after some bytes until `whenOpen` settles. */
function gateBody(
  body: ReadableStream<Uint8Array>,
  whenOpen: Promise<void>,
): ReadableStream<Uint8Array> {
  let passedBytes = 0;
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      async transform(chunk, controller) {
        if (passedBytes >= GATE_AFTER_BYTES) await whenOpen;
        passedBytes += chunk.byteLength;
        controller.enqueue(chunk);
      },
    }),
  );
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
