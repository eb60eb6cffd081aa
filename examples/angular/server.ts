/**
 * Serves the console and, on the same origin, the API behind a proxy that holds the key: set
 * `HPCAI_API_KEY` for the real one; without it, a fake in this process answers.
 *
 *     deno task example:angular
 */
import { FakeHpcai } from "@hpcai/rx/testing";
import { apiProxy, type Upstream } from "../api_proxy.ts";
import { builtApp } from "./built_app.ts";

const API_PREFIX = "/hpcai";
const DEFAULT_BASE_URL = "https://www.hpc-ai.com/finetunesdk";
const DEFAULT_PORT = 4200;
const NETWORK_BYTES_PER_SECOND = 8 * 1024 ** 2;

/** Answers requests for the app and for the API. */
export async function consoleHandler(
  { upstream, dist }: { readonly upstream: Upstream; readonly dist: URL },
): Promise<(request: Request) => Promise<Response>> {
  const proxy = apiProxy(upstream);
  const app = await builtApp(dist);
  return (request) => {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith(`${API_PREFIX}/`)) {
      return Promise.resolve(app(request.method, pathname));
    }
    return proxy(request, pathname.slice(API_PREFIX.length));
  };
}

/** The real API where the environment holds a key, else a fake of it. */
function findUpstream(): Upstream {
  const apiKey = Deno.env.get("HPCAI_API_KEY");
  if (apiKey) return { apiKey, baseUrl: Deno.env.get("HPCAI_BASE_URL") ?? DEFAULT_BASE_URL };
  const fake = new FakeHpcai({
    trainingRuns: 240,
    maxPageSize: 20,
    archiveBytes: 64 * 1024 ** 2,
    latencyMs: 150,
    bytesPerSecond: NETWORK_BYTES_PER_SECOND,
  });
  keepTraining(fake);
  return { apiKey: fake.apiKey, baseUrl: DEFAULT_BASE_URL, fetch: fake.fetch };
}

/** Saves a checkpoint of the latest run now and then, so that there is something to watch. */
function keepTraining(fake: FakeHpcai): void {
  const [trainingRunId = ""] = fake.trainingRunIds;
  let step = 20;
  setInterval(() => {
    step += 10;
    fake.addCheckpoint(trainingRunId, { checkpointId: `step_${String(step).padStart(4, "0")}` });
  }, 15_000);
}

if (import.meta.main) {
  const upstream = findUpstream();
  const handler = await consoleHandler({
    upstream,
    dist: new URL("dist/browser/", import.meta.url),
  });
  Deno.serve({
    hostname: "127.0.0.1",
    port: Number(Deno.env.get("PORT") ?? DEFAULT_PORT),
    onListen: ({ port }) => {
      const api = upstream.fetch ? "the fake API in this process" : upstream.baseUrl;
      console.log(`The console is at http://localhost:${port}, on ${api}.`);
    },
  }, handler);
}
