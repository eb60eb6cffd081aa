import { TAR_BLOCK, tarHeader } from "../../src/testing/tar_header.ts";
/** A request as it came; a `Request` of Deno's server can't be read once it is answered. */
export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

/** A server on a free loopback port. */
export interface LoopbackServer extends AsyncDisposable {
  /** Where it is, at `127.0.0.1`. */
  readonly url: string;
  /** The same server under another origin, at `localhost`. */
  readonly otherUrl: string;
  /** Every request so far. */
  readonly requests: readonly ReceivedRequest[];
}

/** Serves until the end of the block that holds the server by `await using`. */
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

/** Answers a body in chunks, each made when the connection takes it. */
export class ChunkedAnswer {
  /** Settles when the client has given the body up. */
  readonly abandoned: Promise<void>;
  /** The answer. */
  readonly response: Response;
  #sentBytes = 0;

  /**
   * Makes the answer.
   *
   * @param nextChunk Gives a chunk, or `undefined` at the end.
   * @param headers The answer's headers.
   */
  constructor(
    nextChunk: () => Promise<Uint8Array<ArrayBuffer> | undefined>,
    headers: HeadersInit = { "Content-Type": "application/gzip" },
  ) {
    const abandoned = Promise.withResolvers<void>();
    this.abandoned = abandoned.promise;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: async (controller) => {
        const chunk = await nextChunk();
        if (chunk === undefined) return controller.close();
        this.#sentBytes += chunk.byteLength;
        controller.enqueue(chunk);
      },
      cancel: () => abandoned.resolve(),
    }, { highWaterMark: 0 });
    this.response = new Response(body, { headers });
  }

  /** How many bytes the connection has taken. */
  get sentBytes(): number {
    return this.#sentBytes;
  }
}

/** A member of a tar, with its header: a chunk of an archive that may have any number of them. */
export function tarMember(byteLength: number): Uint8Array<ArrayBuffer> {
  const member = new Uint8Array(byteLength);
  member.set(tarHeader("member", byteLength - TAR_BLOCK, 0));
  return member;
}
