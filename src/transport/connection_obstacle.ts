import type { ConnectionObstacle } from "../errors.ts";

/** Codes of the certificate checks of Node and Bun: OpenSSL's names, and `ERR_TLS_CERT_…`. */
const CERTIFICATE_CODES = /CERT|CRL|^UNABLE_TO_|^INVALID_|^HOSTNAME_|^PATH_LENGTH/;

/** A part of rustls's message about a certificate; Deno's errors have no code. */
const DENO_CERTIFICATE = "invalid peer certificate";

/**
 * Why no attempt to connect can succeed, or `undefined` where another one may.
 *
 * @param cause What `fetch` rejected with, with a finite chain of causes.
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
    // An error with a code comes from a runtime that does not block ports.
    if (code !== "") port = "";
  }
  // The default port is not blocked.
  if (port === "") return undefined;
  try {
    const { BLOCKED_PORTS } = await import("./blocked_ports.ts");
    return BLOCKED_PORTS.includes(Number(port)) ? "port" : undefined;
  } catch {
    return undefined;
  }
}
