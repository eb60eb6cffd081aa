/**
 * A proxy for the HPC-AI API that keeps the API key on a server.
 *
 * It is a function from `Request` to `Response` for `Deno.serve`, edge workers, and Node's frameworks with
 * a fetch adapter. Pages use it through a client with a relative `baseUrl`, which needs no key.
 *
 * @example A server with a proxy at `/hpcai`; its pages use `new RestClient({ baseUrl: "/hpcai" })`
 * ```ts
 * import { apiProxy } from "@hpcai/rx/proxy";
 * import process from "node:process";
 *
 * const proxy = apiProxy({ apiKey: process.env["HPCAI_API_KEY"] ?? "" });
 *
 * async function handler(request: Request): Promise<Response> {
 *   const { pathname } = new URL(request.url);
 *   if (pathname.startsWith("/hpcai/")) return await proxy(request);
 *   return new Response("the page");
 * }
 *
 * const response = await handler(new Request("http://localhost/hpcai/api/v1/training_runs"));
 * console.log(response.status); // 200
 * ```
 *
 * @module
 */

export { apiProxy, type ApiProxyOptions } from "./api_proxy.ts";
