/** HTTP over bare TCP, for what an HTTP server is too well-behaved for; on `node:net`. */
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** As much of a request as the server looks at. */
export interface RawRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
}

/** The server's end of one connection. */
export interface RawConnection {
  /** Whether the client can still receive. */
  readonly isOpen: boolean;
  /** Settles when the connection is closed, by whichever side. */
  readonly closed: Promise<void>;
  /** Writes; returns once the bytes are handed to the system, or the connection is closed. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** Closes as a server does that is done (FIN). */
  end(): void;
  /** Resets (RST). */
  reset(): void;
}

/** What happens to connections. */
export interface RawHandlers {
  /** Before anything is read; `true` if it has dealt with the connection. */
  connected?(connection: RawConnection): boolean;
  /** A request was read. The next one is read once this has settled, if the connection is open. */
  requested(request: RawRequest, connection: RawConnection): Promise<void>;
}

/** How long to wait between two attempts to listen on a port again, in milliseconds. */
const LISTEN_AGAIN_MS = 5;

/** A server that leaves every byte that it sends to its handlers. */
export class RawServer {
  readonly #handlers: RawHandlers;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #isClosed = false;
  #reopened: Promise<void> = Promise.resolve();
  #answering = 0;

  constructor(handlers: RawHandlers) {
    this.#handlers = handlers;
  }

  /** Where it is. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** How many connections are in the middle of a response. */
  get responding(): number {
    return this.#answering;
  }

  /** Begins to listen. */
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

  /** Closes every connection and refuses new ones for a while. */
  refuse(durationMs: number): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#reopened = this.#reopen(durationMs);
  }

  async #reopen(durationMs: number): Promise<void> {
    await delay(durationMs);
    while (!this.#isClosed) {
      try {
        return await this.listen();
      } catch {
        await delay(LISTEN_AGAIN_MS); // Another socket has the port for a moment.
      }
    }
  }

  /** Closes every connection, and does not listen any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
    await this.#reopened;
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
    if (this.#handlers.connected?.(connection)) {
      socket.resume();
      return;
    }
    socket.on("data", (bytes: Uint8Array) => {
      for (const request of requests.read(bytes)) {
        chain = chain.then(async () => {
          if (!connection.isOpen) return;
          this.#answering++;
          try {
            await this.#handlers.requested(request, connection);
          } finally {
            this.#answering--;
          }
        });
      }
    });
  }
}

/** Takes requests without a body out of the bytes of a connection. */
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
