import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";

/** Answers a request; `left` settles if the client goes before it has the whole answer. */
export type Handler = (request: Request, left: Promise<void>) => Response | Promise<Response>;

/** A server on a free loopback port. */
export interface Server extends AsyncDisposable {
  /** Where it is, at `127.0.0.1`. */
  readonly url: string;
}

/**
 * Serves by `node:http`: unlike `Deno.serve`, it tells at once when a client has gone, and breaks a
 * connection off without a word on the console.
 */
export async function serve(handler: Handler): Promise<Server> {
  const server = createServer(async (incoming, outgoing) => {
    const left = Promise.withResolvers<void>();
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) left.resolve();
    });
    const { method = "GET", headers, url } = incoming;
    const hasBody = method === "POST";
    const request = new Request(`http://${headers.host}${url}`, {
      method,
      headers: new Headers(headers as Record<string, string>),
      body: hasBody ? Readable.toWeb(incoming) : null,
    });
    const response = await handler(request, left.promise);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body === null) return outgoing.end();
    // Either end that breaks off takes the other one along.
    const body = Readable.fromWeb(response.body).on("error", () => outgoing.destroy());
    outgoing.on("close", () => body.destroy());
    body.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
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
