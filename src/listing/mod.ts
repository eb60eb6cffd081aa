/** The listing operations that `RestClient` loads on first use. */

export { deleteCheckpoints$ } from "./delete_checkpoints.ts";
export { listAllCheckpoints$ } from "./list_all_checkpoints.ts";
export { completeCheckpoints$ } from "./list_checkpoints.ts";
export { listAllTrainingRuns$ } from "./list_all_training_runs.ts";
export { watchCheckpoints$, watchTrainingRuns$ } from "./watch.ts";
