import { apiProxy, type ApiProxyOptions } from "@hpcai/rx/proxy";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";

/** The first run of the fake API. */
export const RUN_ID = "eb78693b-380d-40f8-a709-ffe0da185718";
/** The route of an archive of that run. */
export const ARCHIVE = `/api/v1/training_runs/${RUN_ID}/checkpoints/final/archive`;
/** The base URL of the API behind the proxy. */
export const BASE_URL = "https://api.example/finetunesdk";
/** A key that no text contains by chance. */
export const API_KEY = "sk-live-4f9a1c77d2e8";

/** A request that reached the API or the storage. */
export interface UpstreamRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly signal: AbortSignal | null | undefined;
}

/** A proxy in front of the fake API, without sockets. */
export function createFakeProxy(
  fakeOptions?: FakeHpcaiOptions,
  proxyOptions?: Partial<ApiProxyOptions>,
) {
  const fake = new FakeHpcai(fakeOptions);
  const { apiKey, fetch } = fake;
  const proxy = apiProxy({ apiKey, baseUrl: BASE_URL, fetch, ...proxyOptions });
  /** Sends a request for a route of the API. */
  const request = (route: string, init?: RequestInit) =>
    proxy(new Request(`http://localhost/hpcai${route}`, init));
  return { fake, request };
}

/** A proxy in front of a function, whose requests are recorded. */
export function createProxy(
  respond: (request: UpstreamRequest) => Response | Promise<Response>,
  proxyOptions?: Partial<ApiProxyOptions>,
) {
  const requests: UpstreamRequest[] = [];
  const proxy = apiProxy({
    apiKey: API_KEY,
    baseUrl: BASE_URL,
    fetch: (input, { method = "GET", headers, signal } = {}) => {
      const request = { url: String(input), method, headers: new Headers(headers), signal };
      requests.push(request);
      return Promise.resolve(respond(request));
    },
    ...proxyOptions,
  });
  /** Sends a request for a route of the API. */
  const request = (route: string, init?: RequestInit) =>
    proxy(new Request(`http://localhost/hpcai${route}`, init));
  return { requests, request, proxy };
}

/** A redirect response. */
export function redirect(location: string, status = 302): Response {
  return new Response(null, { status, headers: { "Location": location } });
}
