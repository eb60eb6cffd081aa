// A Cloudflare worker that runs the scenario, and streams an archive as a proxy.
import { RestClient } from "@hpcai/rx";
import { lastValueFrom } from "rxjs";
import { runScenario } from "./scenario.mjs";

export default {
  async fetch(request, _env, context) {
    const { pathname, searchParams } = new URL(request.url);
    const baseUrl = searchParams.get("api");
    if (pathname === "/scenario") return Response.json(await runScenario(baseUrl));

    const client = new RestClient({ baseUrl, apiKey: searchParams.get("key") });
    const { readable, writable } = new TransformStream();
    const download = client.download$(searchParams.get("checkpoint"), { to: writable });
    context.waitUntil(lastValueFrom(download));
    return new Response(readable, { headers: { "Content-Type": "application/gzip" } });
  },
};
