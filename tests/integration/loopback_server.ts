import { TAR_BLOCK, tarEntry } from "../../src/testing/tar_header.ts";

/** A copy of a request; Deno's `Request` is unreadable after the response. */
export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

/** A server on a free loopback port. */
export interface LoopbackServer extends AsyncDisposable {
  /** The origin at `127.0.0.1`. */
  readonly url: string;
  /** Another origin of the same server, at `localhost`. */
  readonly otherUrl: string;
  /** Every request so far. */
  readonly requests: readonly ReceivedRequest[];
}

/** Serves until the end of the block that declares the server with `await using`. */
export function serve(handler: (request: Request) => Response | Promise<Response>): LoopbackServer {
  const requests: ReceivedRequest[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { method, url, headers } = request;
    requests.push({ method, url, headers: new Headers(headers) });
    return handler(request);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    otherUrl: `http://localhost:${server.addr.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A response whose body is produced chunk by chunk, on demand of the connection. */
export class ChunkedResponse {
  /** Settles when the client aborts the body. */
  readonly whenCanceled: Promise<void>;
  /** The response. */
  readonly response: Response;
  #sentBytes = 0;

  /**
   * Creates the response.
   *
   * @param nextChunk Returns a chunk, or `undefined` at the end.
   * @param headers The response's headers.
   */
  constructor(
    nextChunk: () => Promise<Uint8Array<ArrayBuffer> | undefined>,
    headers: HeadersInit = { "Content-Type": "application/gzip" },
  ) {
    const canceled = Promise.withResolvers<void>();
    this.whenCanceled = canceled.promise;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: async (controller) => {
        const chunk = await nextChunk();
        if (chunk === undefined) return controller.close();
        this.#sentBytes += chunk.byteLength;
        controller.enqueue(chunk);
      },
      cancel: () => canceled.resolve(),
    }, { highWaterMark: 0 });
    this.response = new Response(body, { headers });
  }

  /** The number of bytes that the connection has read. */
  get sentBytes(): number {
    return this.#sentBytes;
  }
}

/** A tar entry with its header, `byteLength` bytes in all: a chunk of an archive of any length. */
export function tarChunk(byteLength: number): Uint8Array<ArrayBuffer> {
  return tarEntry("entry", new Uint8Array(byteLength - TAR_BLOCK), 0);
}
