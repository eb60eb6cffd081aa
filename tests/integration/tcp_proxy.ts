// Not Deno's own sockets: only Node's can be reset.
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { once } from "node:events";

/** What becomes of a connection on its way to the client. */
export interface Passage {
  /** How many bytes pass, the answer's head among them; default all. */
  readonly bytes?: number;
  /** What happens after them: the end (FIN), a reset (RST), or nothing any more; default the end. */
  readonly ending?: "close" | "reset" | "stall";
  /** How long the proxy waits before it passes each chunk on, in milliseconds; default 0. */
  readonly chunkDelayMs?: number;
}

/** A proxy between a client and a server. */
export interface TcpProxy extends AsyncDisposable {
  /** Where it is. */
  readonly url: string;
  /** How many bytes after its first empty line have passed on each connection so far. */
  readonly payloadBytes: readonly number[];
}

const EMPTY_LINE = "\r\n\r\n";

/**
 * Passes bytes on between clients and a server.
 *
 * @param upstreamUrl Where the server is.
 * @param nextPassage Is asked at each connection what is to become of it.
 */
export async function proxy(upstreamUrl: string, nextPassage: () => Passage): Promise<TcpProxy> {
  const { hostname, port } = new URL(upstreamUrl);
  const payloadBytes: number[] = [];
  const sockets = new Set<Socket>();
  const passages: Promise<void>[] = [];
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(socket);
      // What the other side does to a connection is what the tests are about, so no failure here.
      socket.on("error", () => other.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("close", () => upstream.destroy());
    client.pipe(upstream);
    const connection = payloadBytes.push(0) - 1;
    passages.push(
      pass(upstream, client, nextPassage(), (bytes) => payloadBytes[connection] = bytes),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return {
    url: `http://127.0.0.1:${address.port}`,
    payloadBytes,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...passages]);
    },
  };
}

async function pass(
  upstream: Socket,
  client: Socket,
  { bytes = Infinity, ending = "close", chunkDelayMs = 0 }: Passage,
  onPayload: (bytes: number) => void,
): Promise<void> {
  const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
  let passed = 0;
  let head = "";
  try {
    for await (const chunk of upstream) {
      if (chunkDelayMs > 0) await delay(chunkDelayMs);
      const part = chunk.subarray(0, bytes - passed);
      await new Promise<void>((resolve) => client.write(part, () => resolve()));
      if (client.destroyed) break;
      passed += part.byteLength;
      if (!head.includes(EMPTY_LINE)) head += part.toString("latin1");
      const headEnd = head.indexOf(EMPTY_LINE);
      if (headEnd >= 0) onPayload(passed - headEnd - EMPTY_LINE.length);
      if (passed >= bytes) break;
    }
  } catch {
    // A server that is gone ends the passage as one does that is done.
  }
  if (ending === "reset") client.resetAndDestroy();
  else if (ending === "close") client.end();
  // Nobody would notice the client's end otherwise, since the server takes no more of it.
  client.resume();
  await closed;
}
