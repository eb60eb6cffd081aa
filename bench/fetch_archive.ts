import type { FakeApi } from "./fake_api_process.ts";

/** Requests the archive of a checkpoint with bare `fetch` and the client's headers. */
export function fetchArchive({ baseUrl, apiKey, checkpoint }: FakeApi): Promise<Response> {
  const { trainingRunId, checkpointId } = checkpoint;
  return fetch(
    `${baseUrl}/api/v1/training_runs/${trainingRunId}/checkpoints/${checkpointId}/archive`,
    { headers: { "X-API-Key": apiKey, "Accept": "application/gzip" } },
  );
}
