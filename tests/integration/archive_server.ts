import { TAR_BLOCK, tarHeader } from "../../src/testing/tar_header.ts";
import { type RawAnswer, type RawServer, serveRaw } from "./raw_server.ts";

/** A strong entity tag. */
export const ETAG = 'ETag: "a"';

/** The archive that is served: a real `.tar.gz` of 1000 bytes. */
export const ARCHIVE = await archiveOf(31);

/** Another archive of the same length. */
export const OTHER_ARCHIVE = await archiveOf(37);

/** Makes an archive of one file; a comment in gzip's header brings it to 1000 bytes. */
async function archiveOf(factor: number): Promise<Uint8Array<ArrayBuffer>> {
  const file = Uint8Array.from({ length: TAR_BLOCK }, (_, index) => index * factor % 251);
  const tar = new Blob([tarHeader("file", TAR_BLOCK, 0), file, new Uint8Array(2 * TAR_BLOCK)]);
  const gzip = await new Response(tar.stream().pipeThrough(new CompressionStream("gzip"))).bytes();
  const header = gzip.slice(0, 10);
  header[3] = 0x10; // FCOMMENT (RFC 1952, section 2.3.1)
  const comment = "x".repeat(1000 - gzip.byteLength - 1);
  return await new Response(new Blob([header, comment, "\0", gzip.slice(10)])).bytes();
}

/** A server of one archive. */
export interface ArchiveServer extends RawServer {
  /** What each request asked for: `all`, or `Range` and `If-Range` as they came. */
  readonly asked: readonly string[];
  /** The headers of every request. */
  readonly requestHeaders: readonly Headers[];
}

/** Serves over bare TCP: the first request gets the first answer and so on. */
export function serveArchive(...answers: readonly RawAnswer[]): ArchiveServer {
  const requestHeaders: Headers[] = [];
  const server = serveRaw(...answers.map((answer): RawAnswer => async (connection, line) => {
    requestHeaders.push(await connection.headers());
    await answer(connection, line);
  }));
  return {
    ...server,
    requestHeaders,
    get asked() {
      return requestHeaders.map((headers) =>
        headers.has("Range") || headers.has("If-Range")
          ? `${headers.get("Range")} if ${headers.get("If-Range")}`
          : "all"
      );
    },
  };
}

/** Writes an answer's beginning, and lets the connection go on as `ending` says; default: closed. */
export function answer(
  status: string,
  headers: readonly string[],
  body: Uint8Array<ArrayBuffer> = new Uint8Array(),
  ending: RawAnswer = (connection) => connection.end(),
): RawAnswer {
  return async (connection, line) => {
    const head = [`HTTP/1.1 ${status}`, ...headers, "Connection: close", "", ""].join("\r\n");
    await connection.write(head);
    await connection.write(body);
    await ending(connection, line);
  };
}

/** The whole archive, announced with its length, of which no more than `sent` bytes come. */
export function whole(sent: number = ARCHIVE.byteLength, ...headers: string[]): RawAnswer {
  return answer(
    "200 OK",
    [`Content-Length: ${ARCHIVE.byteLength}`, ...headers],
    ARCHIVE.slice(0, sent),
  );
}

/**
 * The archive from `start` up to, not with, `end`, and the headers that go with that but for those
 * that are given, of which no more than the bytes up to `sent` come.
 */
export function rest(
  start: number,
  { end = ARCHIVE.byteLength, sent = end, headers = [ETAG], range }: {
    readonly end?: number;
    readonly sent?: number;
    readonly headers?: readonly string[];
    readonly range?: string;
  } = {},
): RawAnswer {
  return answer(
    "206 Partial Content",
    [
      `Content-Range: ${range ?? `bytes ${start}-${end - 1}/${ARCHIVE.byteLength}`}`,
      `Content-Length: ${end - start}`,
      ...headers,
    ],
    ARCHIVE.slice(start, sent),
  );
}

/** The archive in one HTTP chunk, without a length; the last chunk is missing unless `isEnded`. */
export function chunked(
  sent: number = ARCHIVE.byteLength,
  { isEnded = false, headers = [ETAG] }: {
    readonly isEnded?: boolean;
    readonly headers?: readonly string[];
  } = {},
): RawAnswer {
  return answer(
    "200 OK",
    ["Transfer-Encoding: chunked", ...headers],
    ARCHIVE.slice(0, 0),
    async (connection) => {
      await connection.write(`${sent.toString(16)}\r\n`);
      await connection.write(ARCHIVE.slice(0, sent));
      await connection.write(`\r\n${isEnded ? "0\r\n\r\n" : ""}`);
      await connection.end();
    },
  );
}

/** The answer to a range that begins where the archive of `total` bytes ends. */
export function unsatisfiable(total: number = ARCHIVE.byteLength, ...headers: string[]): RawAnswer {
  return answer("416 Range Not Satisfiable", [
    `Content-Range: bytes */${total}`,
    "Content-Length: 0",
    ...headers,
  ]);
}
