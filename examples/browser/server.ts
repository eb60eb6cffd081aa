/**
 * `deno task example:browser`: serves index.html, the modules that it imports and the API, all on one
 * origin. The key stays here: HPC-AI is asked where HPCAI_API_KEY is set, else an embedded API.
 */
import { FakeHpcai } from "@hpcai/rx/testing";

/** Where requests for the API go. */
export interface Upstream {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly fetch: typeof fetch;
}

/** The path that the page has for its base URL. */
const API_PATH = "/hpcai/";

/** What of a request and of its answer the API and the page need from each other. */
const REQUEST_HEADERS = ["Accept", "Range", "If-Range"];
const RESPONSE_HEADERS = [
  "Accept-Ranges",
  "Content-Length",
  "Content-Range",
  "Content-Type",
  "ETag",
  "Retry-After",
];

const REDIRECT_STATUSES = [301, 302, 303, 307, 308];
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
  return (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith(API_PATH) && request.method === "GET") {
      return forwarded(request, upstream);
    }
    if (pathname === "/") return fileResponse(new URL("index.html", import.meta.url));
    return moduleResponse(modules, pathname);
  };
}

/** Asks the API with the key, and streams its answer through. */
async function forwarded(
  request: Request,
  { baseUrl, apiKey, fetch }: Upstream,
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const headers = only(REQUEST_HEADERS, request.headers);
  const target = `${baseUrl}/${pathname.slice(API_PATH.length)}${search}`;
  const withKey = { ...headers, "X-API-Key": apiKey };
  let answer = await fetch(target, { headers: withKey, redirect: "manual" });
  const location = answer.headers.get("Location");
  if (REDIRECT_STATUSES.includes(answer.status) && location !== null) {
    // To where archives are stored, without the key: the page could not follow.
    await answer.body?.cancel();
    answer = await fetch(new URL(location, target), { headers });
  }
  const { status, body } = answer;
  const kept = only(RESPONSE_HEADERS, answer.headers);
  // What was encoded is decoded here, and has another length.
  if (answer.headers.has("Content-Encoding")) delete kept["Content-Length"];
  // Else a browser keeps what it got of an archive on its disk, and answers from there.
  return new Response(body, { status, headers: { ...kept, "Cache-Control": "no-store" } });
}

function only(names: readonly string[], headers: Headers): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );
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
  if (apiKey !== undefined) return { baseUrl, apiKey, fetch };
  const fake = new FakeHpcai({ archiveBytes: 2 ** 26, archiveAnswer: "redirect" });
  return { baseUrl, apiKey: fake.apiKey, fetch: fake.fetch };
}

if (import.meta.main) {
  const modules = new URL("../../npm/", import.meta.url);
  Deno.serve({ hostname: "127.0.0.1", port: 8000 }, browserExample(modules, upstream()));
}
