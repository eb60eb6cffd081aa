import { type RawConnection, type RawRequest, RawServer } from "./raw_server.ts";

/** Sends one response over a connection, which is ended afterwards. */
export type RawResponder = (
  connection: RawConnection,
  request: RawRequest,
) => Promise<void> | void;

/** A server that responds to its first request with the first responder, and so on. */
export interface RawResponseServer extends AsyncDisposable {
  /** The origin at `127.0.0.1`. */
  readonly url: string;
  /** Every request so far. */
  readonly requests: readonly RawRequest[];
}

/** Serves over TCP. A request after the last responder gets a closed connection. */
export async function serveRaw(...responders: readonly RawResponder[]): Promise<RawResponseServer> {
  const requests: RawRequest[] = [];
  const server = new RawServer({
    async onRequest(request, connection) {
      const respond = responders[requests.length];
      requests.push(request);
      try {
        await respond?.(connection, request);
      } finally {
        connection.end();
      }
    },
  });
  await server.listen();
  return {
    url: server.url,
    requests,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A complete response: `HTTP/1.1 200 OK`, the headers, an empty line, the body. */
export function responseText(headers: readonly string[], body: string, status = "200 OK"): string {
  return [`HTTP/1.1 ${status}`, ...headers, "Connection: close", "", body].join("\r\n");
}

/** A responder that sends a complete response. */
export function sendText(headers: readonly string[], body: string, status?: string): RawResponder {
  return (connection) => connection.write(responseText(headers, body, status));
}
