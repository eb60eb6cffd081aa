import type { RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { propagation, SpanStatusCode, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { stub } from "@std/testing/mock";
import { firstValueFrom } from "rxjs";

const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";

/** Imports the program in docs/tracing.md and returns its client. */
async function importProgram(directory: string): Promise<RestClient> {
  const page = await Deno.readTextFile(new URL("../../docs/tracing.md", import.meta.url));
  const [, program = ""] = /^```ts\n([^]*?)^```$/m.exec(page) ?? [];
  const exporting = program.replace("const client =", "export const client =");
  assert(exporting !== program);
  await Deno.writeTextFile(`${directory}/recipe.ts`, exporting);
  const { client } = await import(`file://${directory}/recipe.ts`);
  return client;
}

Deno.test("docs/tracing.md has a program that makes a span for each hop and sends traceparent to the API only", async () => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const fake = new FakeHpcai({ archiveResponse: "redirect" });
  const parents = new Map<string, string | null>();
  using _fetch = stub(globalThis, "fetch", (input, init) => {
    const request = new Request(input, init);
    parents.set(request.url.split("?")[0] ?? "", request.headers.get("traceparent"));
    return fake.fetch(request);
  });
  const directory = await Deno.makeTempDir();
  Deno.env.set("HPCAI_API_KEY", fake.apiKey);
  try {
    const client = await importProgram(directory);
    await firstValueFrom(client.downloadCheckpointArchive$(RUN, "final"));
    await assertRejects(() => firstValueFrom(client.getTrainingRun$("nope")));
    fake.faults.add({ type: "connection-error" });
    await firstValueFrom(client.with({ retry: { initialDelayMs: 0 } }).listTrainingRuns$());
    client.listTrainingRuns$().subscribe().unsubscribe();

    const spans = exporter.getFinishedSpans();
    assertEquals(
      spans.map(({ name, attributes, status }) => [
        name,
        attributes["http.response.status_code"] ?? attributes["error.type"],
        attributes["http.request.resend_count"],
        status.code === SpanStatusCode.ERROR,
      ]),
      [
        ["downloadCheckpointArchive", 302, 0, false],
        ["downloadCheckpointArchive", 200, 0, false],
        ["getTrainingRun", 404, 0, true],
        ["listTrainingRuns", "ApiConnectionError", 0, true],
        ["listTrainingRuns", 200, 1, false],
        ["listTrainingRuns", undefined, 0, false],
      ],
    );
    const [api, storage] = spans;
    const parentOf = (span = api) => parents.get(String(span?.attributes["url.full"]));
    const { traceId, spanId } = api?.spanContext() ?? {};
    assertEquals(parentOf(api), `00-${traceId}-${spanId}-01`);
    assertEquals(parentOf(storage), null);
  } finally {
    Deno.env.delete("HPCAI_API_KEY");
    await Deno.remove(directory, { recursive: true });
    trace.disable();
    propagation.disable();
    await provider.shutdown();
  }
});
