/** The content types of the served files, by extension. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** The name of a file to which the build has added a hash of its content. */
const HASHED_NAME = /-[\w-]{8}\.\w+$/;

/** The placeholder of the nonce in index.html. */
const NONCE_MARK = "%NONCE%";

/**
 * Reads the output of `ng build`.
 *
 * @returns A function that responds to a path with a file, or with the page for each route of the app.
 */
export async function createAppHandler(
  dist: URL,
): Promise<(method: string, pathname: string) => Response> {
  const page = await Deno.readTextFile(new URL("index.html", dist));
  const files = new Map<string, { bytes: Uint8Array<ArrayBuffer>; type: string }>();
  for await (const { name, isFile } of Deno.readDir(dist)) {
    const type = CONTENT_TYPES[name.split(".").at(-1) ?? ""];
    if (isFile && type) {
      files.set(`/${name}`, { type, bytes: await Deno.readFile(new URL(name, dist)) });
    }
  }

  return (method, pathname) => {
    if (method !== "GET" && method !== "HEAD") {
      return new Response(null, { status: 405, headers: { "Allow": "GET, HEAD" } });
    }
    const file = files.get(pathname);
    if (file !== undefined) {
      const cacheControl = HASHED_NAME.test(pathname)
        ? "public, max-age=31536000, immutable"
        : "no-cache";
      return toResponse(file.bytes, { "Content-Type": file.type, "Cache-Control": cacheControl });
    }
    if (/\.\w+$/.test(pathname)) return new Response("Not found", { status: 404 });
    const nonce = crypto.randomUUID();
    return toResponse(page.replaceAll(NONCE_MARK, nonce), {
      "Content-Type": "text/html; charset=utf-8",
      "Cache-Control": "no-store",
      "Content-Security-Policy": contentSecurityPolicy(nonce),
    });
  };
}

function toResponse(body: BodyInit, headers: Readonly<Record<string, string>>): Response {
  return new Response(body, {
    headers: {
      ...headers,
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Resource-Policy": "same-origin",
      "Referrer-Policy": "no-referrer",
      "X-Content-Type-Options": "nosniff",
    },
  });
}

/** Allows scripts of the page's origin alone, and the styles of components by their nonce. */
function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'self'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types angular angular#bundler",
  ].join("; ");
}
