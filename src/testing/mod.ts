/**
 * A fake of the HPC-AI API for tests: in memory, deterministic, with real archives and faults to
 * order. Runs wherever `fetch` does.
 *
 * @example A client that gets over a busy server
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { firstValueFrom } from "rxjs";
 *
 * const fake = new FakeHpcai();
 * fake.faults.add({ type: "status", status: 503 });
 *
 * const retry = { initialDelayMs: 1 };
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry });
 * await firstValueFrom(client.listTrainingRuns$());
 * console.log(fake.requests.length); // 2
 * ```
 *
 * @module
 */

export type { ErrorShape } from "./error_body.ts";
export { type FakeCheckpoint, FakeHpcai, type FakeHpcaiOptions } from "./fake_hpcai.ts";
export type {
  ConnectionErrorFault,
  CutFault,
  DelayFault,
  EncodedFault,
  FakeFaults,
  Fault,
  FaultTarget,
  MalformedJsonFault,
  RedirectFault,
  StallFault,
  StatusFault,
  TruncateFault,
  WrongLengthFault,
} from "./faults.ts";
export type { LoraArchive, LoraArchiveOptions } from "./lora_archive.ts";
export type { FakeOperation, RecordedRequest } from "./recorded_request.ts";
export type { FakeCheckpointInit, FakeTrainingRunInit } from "./training_runs.ts";
