/**
 * `serve_fake_api.ts [options as JSON]`: serves a fake API on a free loopback port and prints a `FakeApi`
 * as JSON.
 */
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import type { FakeApi } from "./fake_api_process.ts";

const options: FakeHpcaiOptions = JSON.parse(Deno.args[0] ?? "{}");
const fake = new FakeHpcai(options);
const trainingRunId = fake.trainingRunIds[0] ?? "";
const checkpointId = fake.checkpoints(trainingRunId)[0]?.checkpointId ?? "";

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen({ port }) {
    const api: FakeApi = {
      baseUrl: `http://127.0.0.1:${port}`,
      apiKey: fake.apiKey,
      checkpoint: { trainingRunId, checkpointId },
    };
    console.log(JSON.stringify(api));
  },
}, fake.handler);
