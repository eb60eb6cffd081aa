import { FakeHpcai } from "@hpcai/rx/testing";
import { TAR_BLOCK, tarHeader } from "../../src/testing/tar_header.ts";
import type { Handler } from "./serve.ts";

/** A request, as the scenario looks at it. */
interface SeenRequest {
  readonly operation: string | undefined;
  readonly range: string | null;
  readonly apiKey: string | null;
}

const ORDER_PATH = /\/order\/([a-z-]+)$/;
const STORED_PATH = "/stored/archive";

/** How many bytes of a gated archive go out before the gate is opened. */
const GATE_AFTER_BYTES = 2 ** 18;

/**
 * The fake API for one runtime. What only a server can do or see, scenario.mjs orders by
 * `POST <base URL>/order/<name>`.
 */
export function fakeApi(): Handler {
  const fake = new FakeHpcai({ trainingRuns: 250 });
  const storageRequests: SeenRequest[] = [];
  let disconnect = Promise.withResolvers<void>();
  let gate: PromiseWithResolvers<void> | undefined;
  let ignoresOffset = false;
  let isStorable = false;

  const [trainingRunId = ""] = fake.trainingRunIds;
  const [{ checkpointId, checkpointPath } = { checkpointId: "", checkpointPath: "" }] = fake
    .checkpoints(trainingRunId);
  const archive = fake.archive(trainingRunId, checkpointId);

  const orders: Record<string, (request: Request) => unknown> = {
    /** What there is, for the scenario to compare with. */
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
    /** The next archive is elsewhere, at the same server under another origin. */
    redirect: (request) => {
      const url = new URL(request.url);
      url.hostname = url.hostname === "localhost" ? "127.0.0.1" : "localhost";
      const location = url.href.replace(ORDER_PATH, STORED_PATH);
      fake.faults.add({ type: "redirect", location }, { on: "archive" });
    },
    /** The next archive's entry leads out of the directory that it is extracted to. */
    "unsafe-archive": () => {
      const tar = new Uint8Array(4 * TAR_BLOCK);
      tar.set(tarHeader("../outside", 1, 0));
      const headers = { "Content-Type": "application/gzip" };
      const body = new TextDecoder().decode(tar);
      fake.faults.add({ type: "status", status: 200, headers, body }, { on: "archive" });
    },
    /** Every page is the first one, or no more. */
    "ignore-offset": async (request) => void (ignoresOffset = await request.json()),
    /** Answers may be kept in a cache from now on. */
    storable: () => void (isStorable = true),
    /** Archives stop half-way until the gate is opened. */
    "close-gate": () => void (gate = Promise.withResolvers()),
    "open-gate": () => gate?.resolve(),
    "watch-disconnects": () => void (disconnect = Promise.withResolvers()),
    /** Answers once a client has gone before the end of a body. */
    disconnect: () => disconnect.promise,
    requests: (): SeenRequest[] => [
      ...fake.requests.map(({ operation, headers }) => seen(operation, headers)),
      ...storageRequests,
    ],
  };

  return async (request, left) => {
    const { pathname } = new URL(request.url);
    const order = orders[ORDER_PATH.exec(pathname)?.[1] ?? ""];
    if (order !== undefined) return Response.json(await order(request) ?? null);
    if (pathname.endsWith(STORED_PATH)) {
      storageRequests.push(seen("storage", request.headers));
      return new Response(archive.stream(), { headers: { "Content-Type": "application/gzip" } });
    }
    left.then(() => disconnect.resolve());
    const { status, headers, body } = await fake.handler(
      ignoresOffset ? withoutOffset(request) : request,
    );
    // Else Chromium keeps what it got of an archive, and asks for ranges of its own.
    if (!isStorable) headers.set("Cache-Control", "no-store");
    const opened = pathname.endsWith("/archive") ? gate?.promise : undefined;
    const sent = opened === undefined || body === null ? body : gated(body, opened);
    return new Response(sent, { status, headers });
  };
}

function seen(operation: string | undefined, headers: Headers): SeenRequest {
  return { operation, range: headers.get("Range"), apiKey: headers.get("X-API-Key") };
}

function withoutOffset(request: Request): Request {
  const url = new URL(request.url);
  url.searchParams.delete("offset");
  return new Request(url, { method: request.method, headers: request.headers });
}

/** The same bytes, the latter of which wait at a gate. */
function gated(
  body: ReadableStream<Uint8Array>,
  opened: Promise<void>,
): ReadableStream<Uint8Array> {
  let passedBytes = 0;
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      async transform(chunk, controller) {
        if (passedBytes >= GATE_AFTER_BYTES) await opened;
        passedBytes += chunk.byteLength;
        controller.enqueue(chunk);
      },
    }),
  );
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
