/**
 * A fake of the HPC-AI API for tests, with real archives and programmable faults.
 *
 * It is in memory and deterministic, and runs on every platform with `fetch`.
 *
 * @example Test that a client retries while the server is busy
 * ```ts
 * import { RestClient } from "@hpcai/rx";
 * import { FakeHpcai } from "@hpcai/rx/testing";
 * import { assertEquals } from "@std/assert";
 * import { firstValueFrom } from "rxjs";
 *
 * const fake = new FakeHpcai();
 * fake.faults.add({ type: "status", status: 503 });
 *
 * const retry = { initialDelayMs: 1 };
 * const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry });
 * await firstValueFrom(client.listTrainingRuns$());
 *
 * assertEquals(fake.requests.length, 2);
 * ```
 *
 * @module
 */

export type { ErrorShape } from "./error_body.ts";
export { type FakeCheckpoint, FakeHpcai } from "./fake_hpcai.ts";
export type { FakeHpcaiOptions } from "./fake_options.ts";
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
