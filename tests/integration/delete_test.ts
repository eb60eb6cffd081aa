import { assertEquals, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import {
  ConflictError,
  InternalServerError,
  NotFoundError,
  RestClient,
  type RetryOptions,
} from "@hpcai/rx";
import { lastValueFrom, toArray } from "rxjs";
import { type RawResponder, sendText, serveRaw } from "./raw_responses.ts";

const apiKey = "key-7d1f";

/** Sends a status and an empty body. */
const sendStatus = (status: string): RawResponder => sendText(["Content-Length: 0"], "", status);
const NOT_FOUND = sendStatus("404 Not Found");

/** Deletes a checkpoint on a server with these responders; returns the emitted values. */
async function deleteFrom(
  responders: readonly RawResponder[],
  retry: Partial<RetryOptions> | false = { initialDelayMs: 0 },
) {
  await using server = await serveRaw(...responders);
  const client = new RestClient({ apiKey, baseUrl: server.url, retry });
  const emitted = await lastValueFrom(client.deleteCheckpoint$("run", "a/b").pipe(toArray()));
  assertEquals(
    server.requests.map(({ method, target }) => `${method} ${target}`),
    responders.map(() => "DELETE /api/v1/training_runs/run/checkpoints/a/b"),
  );
  return emitted;
}

for (const line of ["204 No Content", "200 OK"]) {
  Deno.test(`deleteCheckpoint$ emits once after ${line}`, async () => {
    assertEquals(await deleteFrom([sendStatus(line)]), [undefined]);
  });
}

Deno.test("deleteCheckpoint$ fails with a NotFoundError after a first 404", async () => {
  await assertRejects(() => deleteFrom([NOT_FOUND]), NotFoundError);
});

const LOST_RESPONSES: Record<string, RawResponder> = {
  "a connection reset": (connection) => connection.reset(),
  "a connection closed": (connection) => connection.end(),
  "a 500": sendStatus("500 Internal Server Error"),
  "a 502": sendStatus("502 Bad Gateway"),
};
for (const [what, lost] of Object.entries(LOST_RESPONSES)) {
  Deno.test(`deleteCheckpoint$ treats a 404 after ${what} as success`, async () => {
    assertEquals(await deleteFrom([lost, NOT_FOUND]), [undefined]);
  });
}

Deno.test("deleteCheckpoint$ treats a 404 after a timeout as success", async () => {
  using time = new FakeTime();
  const timeOut: RawResponder = async (connection) => {
    time.tick(60_000); // the time limit
    time.tick(1); // the wait before the retry
    await connection.closed;
  };
  assertEquals(await deleteFrom([timeOut, NOT_FOUND]), [undefined]);
});

Deno.test("deleteCheckpoint$ treats a 404 as success when any earlier response was lost", async () => {
  const responders: RawResponder[] = [
    (connection) => connection.reset(),
    sendStatus("429 Too Many Requests"),
    NOT_FOUND,
  ];
  assertEquals(await deleteFrom(responders), [undefined]);
});

for (const line of ["429 Too Many Requests", "409 Conflict", "425 Too Early"]) {
  Deno.test(`deleteCheckpoint$ fails with a NotFoundError for a 404 after ${line}, which deletes nothing`, async () => {
    await assertRejects(() => deleteFrom([sendStatus(line), NOT_FOUND]), NotFoundError);
  });
}

Deno.test("deleteCheckpoint$ without retries fails with the status of a lost response", async () => {
  await assertRejects(() => deleteFrom([sendStatus("500 Oops")], false), InternalServerError);
  await assertRejects(() => deleteFrom([sendStatus("409 Conflict")], false), ConflictError);
});

Deno.test("deleteCheckpoint$ tracks lost responses for each subscription alone", async () => {
  await using server = await serveRaw((connection) => connection.reset(), NOT_FOUND, NOT_FOUND);
  const client = new RestClient({ apiKey, baseUrl: server.url, retry: { initialDelayMs: 0 } });
  const delete$ = client.deleteCheckpoint$("run", "final");
  assertEquals(await lastValueFrom(delete$), undefined);
  await assertRejects(() => lastValueFrom(delete$), NotFoundError);
});
