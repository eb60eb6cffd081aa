/** A connection whose request line has been read and no more of the request. */
export interface RawConnection {
  /** Reads the rest of the request, which has no body, and gives its headers. */
  headers(): Promise<Headers>;
  /** Writes a part of the answer. */
  write(part: string | Uint8Array<ArrayBuffer>): Promise<void>;
  /** Closes as a server does that is done (FIN). */
  end(): Promise<void>;
  /** Closes with the rest of the request unread, on which the kernel resets the connection (RST). */
  reset(): void;
  /** Settles when the client has closed the connection. */
  closedByClient(): Promise<void>;
}

/** What becomes of one connection. It is closed afterwards, whatever happens. */
export type RawAnswer = (connection: RawConnection, requestLine: string) => Promise<void> | void;

/** A server that decides on every byte. */
export interface RawServer extends AsyncDisposable {
  /** Where it is. */
  readonly url: string;
  /** The first line of every request so far, such as `GET / HTTP/1.1`. */
  readonly requestLines: readonly string[];
}

/**
 * Serves over bare TCP, for what `Deno.serve` is too well-behaved for. The first connection gets the
 * first answer and so on, one after the other; past the last it is closed.
 */
export function serveRaw(...answers: readonly RawAnswer[]): RawServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requestLines: string[] = [];
  const stopped = (async () => {
    for await (const connection of listener) {
      const requestLine = await readUntil(connection, "\r\n", 1);
      const answer = answers[requestLines.length];
      requestLines.push(requestLine.trimEnd());
      try {
        await answer?.(rawConnection(connection), requestLine);
      } finally {
        close(connection);
      }
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    requestLines,
    async [Symbol.asyncDispose]() {
      listener.close();
      await stopped;
    },
  };
}

/** A whole answer: `HTTP/1.1 200 OK`, the headers, an empty line, the body. */
export function answerText(headers: readonly string[], body: string, status = "200 OK"): string {
  return [`HTTP/1.1 ${status}`, ...headers, "Connection: close", "", body].join("\r\n");
}

function rawConnection(connection: Deno.TcpConn): RawConnection {
  let rest: Promise<string> | undefined;
  const readRest = () => rest ??= readUntil(connection, "\r\n\r\n");
  return {
    async headers() {
      const lines = (await readRest()).trimEnd().split("\r\n");
      return new Headers(lines.map((line): [string, string] => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon), line.slice(colon + 1)];
      }));
    },
    async write(part) {
      const writer = connection.writable.getWriter();
      await writer.write(typeof part === "string" ? new TextEncoder().encode(part) : part);
      writer.releaseLock();
    },
    async end() {
      await readRest();
      close(connection);
    },
    reset: () => close(connection),
    async closedByClient() {
      await readRest();
      // The client sends nothing more: what comes next is the end, or a reset.
      await connection.read(new Uint8Array(1)).catch(() => {});
    },
  };
}

async function readUntil(
  connection: Deno.TcpConn,
  ending: string,
  bytesAtOnce = 1024,
): Promise<string> {
  const buffer = new Uint8Array(bytesAtOnce);
  let text = "";
  while (!text.endsWith(ending)) {
    const count = await connection.read(buffer);
    if (count === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
