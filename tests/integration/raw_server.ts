/** HTTP over TCP, for responses that no HTTP server sends. Uses `node:net`, which can reset sockets. */
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A request without a body. */
export interface RawRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
}

/** The server's side of a connection. */
export interface RawConnection {
  /** Whether the client can still receive. */
  readonly isOpen: boolean;
  /** Settles when the connection is closed, by either side. */
  readonly closed: Promise<void>;
  /** Writes; settles once the system has the bytes, or the connection is closed. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** Ends the connection (FIN). */
  end(): void;
  /** Resets the connection (RST). */
  reset(): void;
}

/** The callbacks of a {@linkcode RawServer}. */
export interface RawHandlers {
  /** Called for each connection before it is read; `true` if the callback handles it. */
  onConnection?(connection: RawConnection): boolean;
  /** Called for each request, one after the other on a connection while it is open. */
  onRequest(request: RawRequest, connection: RawConnection): Promise<void> | void;
}

/** The interval of attempts to listen on a port again, in milliseconds. */
const LISTEN_INTERVAL_MS = 5;

/** A server whose handlers decide on every byte that it sends. */
export class RawServer implements AsyncDisposable {
  readonly #handlers: RawHandlers;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #isClosed = false;
  #reopening: Promise<void> = Promise.resolve();
  #responding = 0;

  constructor(handlers: RawHandlers) {
    this.#handlers = handlers;
  }

  /** The origin at `127.0.0.1`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** How many responses are in flight. */
  get responding(): number {
    return this.#responding;
  }

  /** Starts to listen on a free port. */
  async listen(): Promise<void> {
    const server = createServer((socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", () => resolve());
    });
    this.#server = server;
    const address = server.address();
    if (address !== null && typeof address === "object") this.#port = address.port;
  }

  /** Closes every connection and refuses new ones for `durationMs` milliseconds. */
  refuse(durationMs: number): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#reopening = this.#reopen(durationMs);
  }

  async #reopen(durationMs: number): Promise<void> {
    await delay(durationMs);
    while (!this.#isClosed) {
      try {
        return await this.listen();
      } catch {
        await delay(LISTEN_INTERVAL_MS); // Another socket can have the port for a moment.
      }
    }
  }

  /** Closes every connection and stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
    await this.#reopening;
    const server = this.#server;
    if (server?.listening) await new Promise((resolve) => server.close(resolve));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {}); // Followed by "close".
    const closed = new Promise<void>((resolve) => {
      socket.once("close", () => {
        this.#sockets.delete(socket);
        resolve();
      });
    });
    const connection: RawConnection = {
      get isOpen() {
        return !socket.destroyed && socket.writable;
      },
      closed,
      async write(bytes) {
        if (socket.destroyed || !socket.writable) return;
        await Promise.race([new Promise((resolve) => socket.write(bytes, resolve)), closed]);
      },
      end: () => void socket.end(),
      reset: () => socket.destroyed ? undefined : void socket.resetAndDestroy(),
    };
    const requests = new RequestReader();
    let chain = Promise.resolve();
    if (this.#handlers.onConnection?.(connection)) {
      socket.resume();
      return;
    }
    socket.on("data", (bytes: Uint8Array) => {
      for (const request of requests.read(bytes)) {
        chain = chain.then(async () => {
          if (!connection.isOpen) return;
          this.#responding++;
          try {
            await this.#handlers.onRequest(request, connection);
          } finally {
            this.#responding--;
          }
        });
      }
    });
  }
}

/** Parses requests without a body from the bytes of a connection. */
class RequestReader {
  #text = "";

  read(bytes: Uint8Array): RawRequest[] {
    this.#text += new TextDecoder().decode(bytes);
    const heads = this.#text.split("\r\n\r\n");
    this.#text = heads.pop() ?? "";
    return heads.map((head) => {
      const [requestLine = "", ...lines] = head.split("\r\n");
      const [method = "", target = ""] = requestLine.split(" ");
      const headers = lines.map((line): [string, string] => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      });
      return { method, target, headers: new Map(headers) };
    });
  }
}
