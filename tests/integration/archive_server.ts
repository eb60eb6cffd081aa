import { TAR_BLOCK, TAR_END, tarEntry } from "../../src/testing/tar_header.ts";
import {
  type RawResponder,
  type RawResponseServer,
  responseText,
  serveRaw,
} from "./raw_responses.ts";

/** A strong entity tag. */
export const ETAG = 'ETag: "a"';

/** The archive that is served: a real `.tar.gz` of 1000 bytes. */
export const ARCHIVE = await makeArchive(31);

/** Another archive of the same length. */
export const OTHER_ARCHIVE = await makeArchive(37);

/** Makes an archive with one file; a comment in the gzip header extends it to 1000 bytes. */
async function makeArchive(factor: number): Promise<Uint8Array<ArrayBuffer>> {
  const file = Uint8Array.from({ length: TAR_BLOCK }, (_, index) => index * factor % 251);
  const tar = new Blob([tarEntry("file", file, 0), new Uint8Array(TAR_END)]);
  const gzip = await new Response(tar.stream().pipeThrough(new CompressionStream("gzip"))).bytes();
  const header = gzip.slice(0, 10);
  header[3] = 0x10; // FCOMMENT (RFC 1952, section 2.3.1)
  const comment = "x".repeat(1000 - gzip.byteLength - 1);
  return await new Response(new Blob([header, comment, "\0", gzip.slice(10)])).bytes();
}

/** A server of one archive. */
export interface ArchiveServer extends RawResponseServer {
  /** The range of each request: `all`, or the values of `Range` and `If-Range`. */
  readonly ranges: readonly string[];
}

/** Serves over TCP: the first request gets the first responder, and so on. */
export async function serveArchive(...responders: readonly RawResponder[]): Promise<ArchiveServer> {
  const server = await serveRaw(...responders);
  return {
    ...server,
    get ranges() {
      return server.requests.map(({ headers }) =>
        headers.has("range") || headers.has("if-range")
          ? `${headers.get("range")} if ${headers.get("if-range")}`
          : "all"
      );
    },
  };
}

/** Sends a status, headers and a body; `ending` continues from there. Default: the connection ends. */
export function respondWith(
  status: string,
  headers: readonly string[],
  body: Uint8Array<ArrayBuffer> = new Uint8Array(),
  ending: RawResponder = () => {},
): RawResponder {
  return async (connection, request) => {
    await connection.write(responseText(headers, "", status));
    await connection.write(body);
    await ending(connection, request);
  };
}

/** Sends the length of the complete archive, and its first `sent` bytes. */
export function fullArchive(
  sent: number = ARCHIVE.byteLength,
  ...headers: string[]
): RawResponder {
  return respondWith(
    "200 OK",
    [`Content-Length: ${ARCHIVE.byteLength}`, ...headers],
    ARCHIVE.slice(0, sent),
  );
}

/**
 * Sends the headers of the range from `start` up to but excluding `end`, and the bytes up to `sent`.
 *
 * @param options `contentRange` and `headers` replace the matching `Content-Range` and ETag.
 */
export function archiveRange(
  start: number,
  { end = ARCHIVE.byteLength, sent = end, headers = [ETAG], contentRange }: {
    readonly end?: number;
    readonly sent?: number;
    readonly headers?: readonly string[];
    readonly contentRange?: string;
  } = {},
): RawResponder {
  return respondWith(
    "206 Partial Content",
    [
      `Content-Range: ${contentRange ?? `bytes ${start}-${end - 1}/${ARCHIVE.byteLength}`}`,
      `Content-Length: ${end - start}`,
      ...headers,
    ],
    ARCHIVE.slice(start, sent),
  );
}

/** Sends the archive in one chunk without a length; omits the last chunk unless `isEnded`. */
export function chunkedArchive(
  sent: number = ARCHIVE.byteLength,
  { isEnded = false, headers = [ETAG] }: {
    readonly isEnded?: boolean;
    readonly headers?: readonly string[];
  } = {},
): RawResponder {
  return respondWith(
    "200 OK",
    ["Transfer-Encoding: chunked", ...headers],
    ARCHIVE.slice(0, 0),
    async (connection) => {
      await connection.write(`${sent.toString(16)}\r\n`);
      await connection.write(ARCHIVE.slice(0, sent));
      await connection.write(`\r\n${isEnded ? "0\r\n\r\n" : ""}`);
    },
  );
}

/** The response to a range that starts at the end of the archive of `total` bytes. */
export function unsatisfiableRange(
  total: number = ARCHIVE.byteLength,
  ...headers: string[]
): RawResponder {
  return respondWith("416 Range Not Satisfiable", [
    `Content-Range: bytes */${total}`,
    "Content-Length: 0",
    ...headers,
  ]);
}
