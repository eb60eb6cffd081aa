// Not Deno's sockets, which cannot be reset.
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { once } from "node:events";

/** A fault of one connection through a {@linkcode TcpProxy}. */
export interface ConnectionFault {
  /** How many bytes of the response pass, its headers included. Default: all. */
  readonly bytes?: number;
  /** What follows: the end (FIN), a reset (RST), or silence. Default: the end. */
  readonly ending?: "close" | "reset" | "stall";
  /** The delay of each chunk, in milliseconds. Default: 0. */
  readonly chunkDelayMs?: number;
}

/** A proxy between a client and a server. */
export interface TcpProxy extends AsyncDisposable {
  /** The origin at `127.0.0.1`. */
  readonly url: string;
  /** How many bytes after its first empty line each connection has forwarded so far. */
  readonly payloadBytes: readonly number[];
}

const EMPTY_LINE = "\r\n\r\n";

/**
 * Starts a proxy that forwards bytes between clients and a server.
 *
 * @param upstreamUrl The origin of the server.
 * @param nextFault Returns the fault of the next connection; `{}` for none.
 */
export async function startProxy(
  upstreamUrl: string,
  nextFault: () => ConnectionFault,
): Promise<TcpProxy> {
  const { hostname, port } = new URL(upstreamUrl);
  const payloadBytes: number[] = [];
  const sockets = new Set<Socket>();
  const transfers: Promise<void>[] = [];
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(socket);
      // Tests interrupt connections on purpose, so that an error here is not a failure.
      socket.on("error", () => other.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("close", () => upstream.destroy());
    client.pipe(upstream);
    const connection = payloadBytes.push(0) - 1;
    transfers.push(
      forward(upstream, client, nextFault(), (bytes) => payloadBytes[connection] = bytes),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    payloadBytes,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...transfers]);
    },
  };
}

/** Forwards a response with its fault. */
async function forward(
  upstream: Socket,
  client: Socket,
  { bytes = Infinity, ending = "close", chunkDelayMs = 0 }: ConnectionFault,
  onPayload: (bytes: number) => void,
): Promise<void> {
  const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
  let forwarded = 0;
  let head = "";
  try {
    for await (const chunk of upstream) {
      if (chunkDelayMs > 0) await delay(chunkDelayMs);
      const part = chunk.subarray(0, bytes - forwarded);
      await new Promise<void>((resolve) => client.write(part, () => resolve()));
      if (client.destroyed) break;
      forwarded += part.byteLength;
      if (!head.includes(EMPTY_LINE)) head += part.toString("latin1");
      const headEnd = head.indexOf(EMPTY_LINE);
      if (headEnd >= 0) onPayload(forwarded - headEnd - EMPTY_LINE.length);
      if (forwarded >= bytes) break;
    }
  } catch {
    // A failed server ends the connection as a finished one does.
  }
  if (ending === "reset") client.resetAndDestroy();
  else if (ending === "close") client.end();
  // Read on, because otherwise the end of the client would not be detected.
  client.resume();
  await closed;
}
