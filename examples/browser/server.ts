/**
 * `deno task example:browser`: serves index.html, the modules that it imports and the API, all on one
 * origin. The key stays here: HPC-AI is asked where HPCAI_API_KEY is set, else an embedded API.
 */
import { FakeHpcai } from "@hpcai/rx/testing";
import { apiProxy, type Upstream } from "../api_proxy.ts";

/** The path that the page has for its base URL. */
const API_PREFIX = "/hpcai";

const MEDIA_TYPES = new Map([
  ["html", "text/html"],
  ["js", "text/javascript"],
  ["mjs", "text/javascript"],
]);

/** Answers the page's requests; `modules` is the directory that holds `node_modules/`. */
export function browserExample(
  modules: URL,
  upstream: Upstream,
): (request: Request) => Promise<Response> {
  const proxy = apiProxy(upstream);
  return (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith(`${API_PREFIX}/`)) {
      return proxy(request, pathname.slice(API_PREFIX.length));
    }
    if (pathname === "/") return fileResponse(new URL("index.html", import.meta.url));
    return moduleResponse(modules, pathname);
  };
}

/** A file below `node_modules/`. RxJS leaves the `.js` out of its imports, so it is added here. */
export function moduleResponse(modules: URL, pathname: string): Promise<Response> {
  if (!/^\/node_modules\/[\w@./-]+$/.test(pathname)) return notFound();
  const path = /\.\w+$/.test(pathname) ? pathname : `${pathname}.js`;
  return fileResponse(new URL(`.${path}`, modules));
}

/** A file, or 404. */
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

function upstream(): Upstream {
  const apiKey = Deno.env.get("HPCAI_API_KEY");
  const baseUrl = Deno.env.get("HPCAI_BASE_URL") ?? "https://www.hpc-ai.com/finetunesdk";
  if (apiKey) return { baseUrl, apiKey };
  const fake = new FakeHpcai({ archiveBytes: 2 ** 26, archiveResponse: "redirect" });
  return { baseUrl, apiKey: fake.apiKey, fetch: fake.fetch };
}

if (import.meta.main) {
  const modules = new URL("../../npm/", import.meta.url);
  Deno.serve({ hostname: "127.0.0.1", port: 8000 }, browserExample(modules, upstream()));
}
