import { RestClient } from "../rest_client.ts";
import { FakeHpcai } from "../testing/fake_hpcai.ts";
import type { CliHost } from "./host.ts";

/** The pace of a network, so that progress bars and counters are visible. */
const LATENCY_MS = 100;
const ARCHIVE_BYTES = 24 * 2 ** 20;
const BYTES_PER_SECOND = 16 * 2 ** 20;

/** One embedded API for each host, which the commands of one program share. */
const fakes = new WeakMap<CliHost, FakeHpcai>();

/** Creates a client of the host's embedded API. */
export function createDemoClient(host: CliHost): RestClient {
  const fake = fakes.get(host) ?? new FakeHpcai({
    latencyMs: LATENCY_MS,
    archiveBytes: ARCHIVE_BYTES,
    bytesPerSecond: BYTES_PER_SECOND,
  });
  fakes.set(host, fake);
  const polls = new Map<string, number>();
  return new RestClient({
    apiKey: fake.apiKey,
    baseUrl: "https://demo.hpc-ai.example",
    fetch: (input, init) => {
      const url = String(input);
      polls.set(url, (polls.get(url) ?? 0) + 1);
      changeData(fake, url, polls.get(url) ?? 0);
      return fake.fetch(input, init);
    },
  });
}

/** Changes the data while a watch polls; only a watch requests a URL more than once. */
function changeData(fake: FakeHpcai, url: string, poll: number): void {
  const [trainingRunId] = fake.trainingRunIds;
  if (trainingRunId === undefined) return;
  const checkpointId = "step_0030";
  const exists = fake.checkpoints(trainingRunId).some((found) =>
    found.checkpointId === checkpointId
  );
  if (poll === 2 && !exists) fake.addCheckpoint(trainingRunId, { checkpointId });
  if (poll === 3 && !url.endsWith("/checkpoints")) fake.addTrainingRun();
}
