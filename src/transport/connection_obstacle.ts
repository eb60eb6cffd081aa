import type { ConnectionObstacle } from "../errors.ts";

/** Codes of the certificate checks of Node and Bun: OpenSSL's names, and `ERR_TLS_CERT_…`. */
const CERTIFICATE_CODES = /CERT|CRL|^UNABLE_TO_|^INVALID_|^HOSTNAME_|^PATH_LENGTH/;

/** How rustls begins the message about a certificate; Deno's errors have no code. */
const DENO_CERTIFICATE = "invalid peer certificate";

/**
 * Why no attempt to connect can succeed, or `undefined` where another one may.
 *
 * @param cause What `fetch` rejected with, its chain of causes without a circle.
 * @param url The URL of the request.
 */
export async function connectionObstacle(
  cause: unknown,
  url: URL,
): Promise<ConnectionObstacle | undefined> {
  let { port } = url;
  for (let error = cause; error instanceof Error; error = error.cause) {
    const code = "code" in error ? String(error.code) : "";
    if (error.name === "NotCapable" || code === "ERR_ACCESS_DENIED") return "permission";
    if (CERTIFICATE_CODES.test(code) || error.message.includes(DENO_CERTIFICATE)) {
      return "certificate";
    }
    // A runtime that connects to blocked ports has a code for why it could not.
    if (code !== "") port = "";
  }
  // The default port, which most requests go to, is not blocked.
  if (port === "") return undefined;
  try {
    const { BLOCKED_PORTS } = await import("./blocked_ports.ts");
    return BLOCKED_PORTS.includes(Number(port)) ? "port" : undefined;
  } catch {
    return undefined;
  }
}
