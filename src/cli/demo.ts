import { RestClient } from "../rest_client.ts";
import { FakeHpcai } from "../testing/fake_hpcai.ts";

/** How far away the embedded API seems to be, and how fast its storage. */
const LATENCY_MS = 100;
const ARCHIVE_BYTES = 24 * 2 ** 20;
const BYTES_PER_SECOND = 16 * 2 ** 20;

/** Makes a client of an API that is embedded, fresh each time, at the pace of a network. */
export function demoClient(): RestClient {
  const fake = new FakeHpcai({ latencyMs: LATENCY_MS, archiveBytes: ARCHIVE_BYTES });
  const polls = new Map<string, number>();
  return new RestClient({
    apiKey: fake.apiKey,
    baseUrl: "https://demo.hpc-ai.example",
    fetch: async (input, init) => {
      const url = String(input);
      polls.set(url, (polls.get(url) ?? 0) + 1);
      changeAt(fake, url, polls.get(url) ?? 0);
      const answer = await fake.fetch(input, init);
      if (answer.body === null || !url.endsWith("/archive")) return answer;
      return new Response(answer.body.pipeThrough(throttle()), answer);
    },
  });
}

/** Lets things happen for those who watch: nobody else asks for the same a second time. */
function changeAt(fake: FakeHpcai, url: string, poll: number): void {
  const [trainingRunId] = fake.trainingRunIds;
  if (trainingRunId === undefined) return;
  if (poll === 2) fake.addCheckpoint(trainingRunId, { checkpointId: "step_0030" });
  if (poll === 3 && !url.endsWith("/checkpoints")) fake.addTrainingRun();
}

function throttle(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    async transform(chunk, controller) {
      await new Promise((resolve) =>
        setTimeout(resolve, chunk.byteLength / BYTES_PER_SECOND * 1000)
      );
      controller.enqueue(chunk);
    },
  });
}
