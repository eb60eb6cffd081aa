/**
 * Serves the console and a proxy to the API on one origin. The proxy adds the key: that of HPC-AI where
 * `HPCAI_API_KEY` is set, or of an API that is embedded in this process.
 *
 *     deno task example:angular
 */
import { apiProxy, type ApiProxyOptions } from "@hpcai/rx/proxy";
import { FakeHpcai } from "@hpcai/rx/testing";
import { createAppHandler } from "./app_handler.ts";

/** The base URL of the app's client. */
const API_PREFIX = "/hpcai/";
const DEFAULT_PORT = 4200;

/** Creates the handler of the server. */
export async function consoleHandler(
  { api, dist }: { readonly api: ApiProxyOptions; readonly dist: URL },
): Promise<(request: Request) => Promise<Response>> {
  const proxy = apiProxy(api);
  const app = await createAppHandler(dist);
  return (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith(API_PREFIX)) return proxy(request);
    return Promise.resolve(app(request.method, pathname));
  };
}

/** Creates an API that responds at the pace of a network. */
function embeddedApi(): FakeHpcai {
  const fake = new FakeHpcai({
    trainingRuns: 240,
    maxPageSize: 20,
    archiveBytes: 64 * 1024 ** 2,
    latencyMs: 150,
    bytesPerSecond: 8 * 1024 ** 2,
  });
  keepTraining(fake);
  return fake;
}

/** Adds a checkpoint to the latest run every 15 seconds, so that watches show changes. */
function keepTraining(fake: FakeHpcai): void {
  const [trainingRunId = ""] = fake.trainingRunIds;
  let step = 20;
  setInterval(() => {
    step += 10;
    fake.addCheckpoint(trainingRunId, { checkpointId: `step_${String(step).padStart(4, "0")}` });
  }, 15_000);
}

if (import.meta.main) {
  const apiKey = Deno.env.get("HPCAI_API_KEY");
  const handler = await consoleHandler({
    api: apiKey ? { apiKey } : embeddedApi(),
    dist: new URL("dist/browser/", import.meta.url),
  });
  Deno.serve({
    hostname: "127.0.0.1",
    port: Number(Deno.env.get("PORT") ?? DEFAULT_PORT),
    onListen: ({ port }) => {
      const api = apiKey ? "the API that HPCAI_API_KEY belongs to" : "an embedded API";
      console.log(`The console is at http://localhost:${port} and uses ${api}.`);
    },
  }, handler);
}
