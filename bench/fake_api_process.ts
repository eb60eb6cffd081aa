import type { FakeHpcaiOptions } from "@hpcai/rx/testing";

/** The address and credentials of a fake API. */
export interface FakeApi {
  /** The base URL. */
  readonly baseUrl: string;
  /** The valid API key. */
  readonly apiKey: string;
  /** The ids of one of its checkpoints. */
  readonly checkpoint: { readonly trainingRunId: string; readonly checkpointId: string };
}

/**
 * Starts a fake API in a process of its own, so that its time and memory are not counted as the
 * client's. The process ends with the block that declares it with `await using`.
 */
export async function startFakeApi(options: FakeHpcaiOptions): Promise<FakeApi & AsyncDisposable> {
  const server = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-net=127.0.0.1",
      new URL("serve_fake_api.ts", import.meta.url).href,
      JSON.stringify(options),
    ],
    stdout: "piped",
  }).spawn();
  const output = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value: firstLine = "" } = await output.read();
  const api: FakeApi = JSON.parse(firstLine);
  return {
    ...api,
    async [Symbol.asyncDispose]() {
      server.kill();
      await server.status;
    },
  };
}
