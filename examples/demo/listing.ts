import type { CheckpointsListResponse, RestClient, TrainingRunsResponse } from "@hpcai/rx";
import { type Observable, scan, takeLast, tap } from "rxjs";
import { live, part } from "./screen.ts";
import { table } from "./table.ts";

/** The first training runs as a table. */
export function firstPage$(client: RestClient): Observable<TrainingRunsResponse> {
  return part(
    "Training runs",
    "client.listTrainingRuns$({ limit: 8 })",
    client.listTrainingRuns$({ limit: 8 }),
  ).pipe(tap(({ trainingRuns, cursor }) => {
    const rows = trainingRuns.map((run) => [
      run.trainingRunId,
      run.baseModel,
      `${run.loraRank ?? "none"}`,
    ]);
    console.log(table(["Id", "Base model", "LoRA rank"], rows));
    console.log(`  ${trainingRuns.length} of ${cursor.totalCount}`);
  }));
}

/** All training runs, counted as they come. */
export function allRuns$(client: RestClient): Observable<unknown> {
  return part(
    "All training runs, page after page",
    "client.listAllTrainingRuns$()",
    client.listAllTrainingRuns$(),
  ).pipe(
    scan(
      ({ count, models }, run) => ({ count: count + 1, models: models.add(run.baseModel) }),
      { count: 0, models: new Set<string>() },
    ),
    live(({ count, models }) => `${count} runs of ${models.size} base models`),
    takeLast(1),
  );
}

/** The checkpoints of a training run as a table. */
export function checkpoints$(
  client: RestClient,
  trainingRunId: string,
): Observable<CheckpointsListResponse> {
  return part(
    `Checkpoints of ${trainingRunId}`,
    "client.listCheckpoints$(id)",
    client.listCheckpoints$(trainingRunId),
  ).pipe(tap(({ checkpoints }) => {
    const rows = checkpoints.map(({ checkpointId, checkpointType, time }) => [
      checkpointId,
      checkpointType,
      time?.toISOString().slice(0, "2026-01-07T10:19".length).replace("T", " ") ?? "unknown",
    ]);
    console.log(table(["Id", "Type", "Saved (UTC)"], rows));
  }));
}
