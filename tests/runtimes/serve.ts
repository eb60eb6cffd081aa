import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";

/** Handles a request; `whenDisconnected` settles if the client disconnects during the response. */
export type Handler = (
  request: Request,
  whenDisconnected: Promise<void>,
) => Response | Promise<Response>;

/** A server on a free loopback port. */
export interface Server extends AsyncDisposable {
  /** The origin at `127.0.0.1`. */
  readonly url: string;
}

/**
 * Serves with `node:http`, which, unlike `Deno.serve`, detects a disconnected client at once and
 * interrupts a response without a message on the console.
 */
export async function serve(handler: Handler): Promise<Server> {
  const server = createServer(async (incoming, outgoing) => {
    const disconnected = Promise.withResolvers<void>();
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) disconnected.resolve();
    });
    const { method = "GET", headers, url } = incoming;
    const hasBody = method === "POST";
    const request = new Request(`http://${headers.host}${url}`, {
      method,
      // Only Set-Cookie is an array, which no client sends.
      headers: new Headers(headers as Record<string, string>),
      body: hasBody ? Readable.toWeb(incoming) : null,
    });
    const response = await handler(request, disconnected.promise);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body === null) return outgoing.end();
    // A failure of either side ends the other.
    const body = Readable.fromWeb(response.body).on("error", () => outgoing.destroy());
    outgoing.on("close", () => body.destroy());
    body.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A listening TCP server has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
