import { setTimeout as sleep } from "node:timers/promises";
import { RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { paced } from "../paced.ts";

/** What the demo talks to. */
export interface Service {
  readonly client: RestClient;
  /** The fake behind the client; `undefined` where that is connected to HPC-AI. */
  readonly fake: FakeHpcai | undefined;
  readonly introduction: string;
}

/** The most of a real archive that the demo downloads; all of the fake's. */
export const MAX_DOWNLOAD_BYTES = 64 * 1024 ** 2;
export const MAX_DOWNLOAD_MS = 10_000;

const LATENCY_MS = 60;
const NETWORK_BYTES_PER_SECOND = 20 * 1024 ** 2;

/** Connects to HPC-AI where the environment holds a key, else to a fake of it behind a socket. */
export function findService(): Service {
  return Deno.env.get("HPCAI_API_KEY") ? realService() : fakeService();
}

function realService(): Service {
  return {
    client: new RestClient(),
    fake: undefined,
    introduction:
      "HPCAI_API_KEY is set, so this reads from the real service. It deletes nothing,\n" +
      "saves nothing, and downloads 64 MiB or 10 seconds of one archive at most.",
  };
}

function fakeService(): Service {
  const fake = new FakeHpcai({
    trainingRuns: 480,
    maxPageSize: 20,
    archiveBytes: MAX_DOWNLOAD_BYTES,
  });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      await sleep(LATENCY_MS);
      return paced(await fake.handler(request), NETWORK_BYTES_PER_SECOND);
    },
  );
  server.unref(); // The program ends when the demo does.
  const baseUrl = `http://127.0.0.1:${server.addr.port}`;
  return {
    client: new RestClient({ apiKey: fake.apiKey, baseUrl }),
    fake,
    introduction:
      `HPCAI_API_KEY is not set, so a fake API in this process answers at ${baseUrl},\n` +
      `as a network would: after ${LATENCY_MS} ms, with 20 MiB a second.`,
  };
}
