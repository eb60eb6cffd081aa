/**
 * `deno task example:browser`: serves index.html, the modules that it imports and a proxy to the API, all
 * on one origin. The proxy adds the key: that of HPC-AI where HPCAI_API_KEY is set, or of an embedded API.
 */
import { apiProxy, type ApiProxyOptions } from "@hpcai/rx/proxy";
import { FakeHpcai } from "@hpcai/rx/testing";

/** The base URL of the page's client. */
const API_PREFIX = "/hpcai/";

const MEDIA_TYPES = new Map([
  ["html", "text/html"],
  ["js", "text/javascript"],
  ["mjs", "text/javascript"],
]);

/**
 * Creates the handler of the server.
 *
 * @param modules The directory that contains `node_modules/`.
 * @param api The key and the API.
 */
export function browserExample(
  modules: URL,
  api: ApiProxyOptions,
): (request: Request) => Promise<Response> {
  const proxy = apiProxy(api);
  return (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith(API_PREFIX)) return proxy(request);
    if (pathname === "/") return fileResponse(new URL("index.html", import.meta.url));
    return moduleResponse(modules, pathname);
  };
}

/** Responds with a file below `node_modules/`, and adds the `.js` that RxJS omits in its imports. */
export function moduleResponse(modules: URL, pathname: string): Promise<Response> {
  if (!/^\/node_modules\/[\w@./-]+$/.test(pathname)) return notFound();
  const path = /\.\w+$/.test(pathname) ? pathname : `${pathname}.js`;
  return fileResponse(new URL(`.${path}`, modules));
}

/** Responds with a file, or with 404. */
export async function fileResponse(file: URL): Promise<Response> {
  try {
    const extension = file.pathname.slice(file.pathname.lastIndexOf(".") + 1);
    const headers = { "Content-Type": MEDIA_TYPES.get(extension) ?? "application/octet-stream" };
    return new Response(await Deno.readFile(file), { headers });
  } catch {
    return notFound();
  }
}

function notFound(): Promise<Response> {
  return Promise.resolve(new Response("Not found", { status: 404 }));
}

function findApi(): ApiProxyOptions {
  const apiKey = Deno.env.get("HPCAI_API_KEY");
  return apiKey
    ? { apiKey }
    : new FakeHpcai({ archiveBytes: 2 ** 26, archiveResponse: "redirect" });
}

if (import.meta.main) {
  const modules = new URL("../../npm/", import.meta.url);
  Deno.serve({ hostname: "127.0.0.1", port: 8000 }, browserExample(modules, findApi()));
}
