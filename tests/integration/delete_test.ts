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
import { answerText, type RawAnswer, serveRaw } from "./raw_server.ts";

const apiKey = "key-7d1f";

/** Answers with a status and an empty body. */
const status = (line: string): RawAnswer => async (connection) => {
  await connection.write(answerText(["Content-Length: 0"], "", line));
  await connection.end();
};
const GONE = status("404 Not Found");

/** Deletes a checkpoint on a server that answers so, and gives what is emitted. */
async function deletion(
  answers: readonly RawAnswer[],
  retry: Partial<RetryOptions> | false = { initialDelayMs: 0 },
) {
  await using server = serveRaw(...answers);
  const client = new RestClient({ apiKey, baseUrl: server.url, retry });
  const emitted = await lastValueFrom(client.deleteCheckpoint$("run", "a/b").pipe(toArray()));
  assertEquals(
    server.requestLines,
    answers.map(() => "DELETE /api/v1/training_runs/run/checkpoints/a/b HTTP/1.1"),
  );
  return emitted;
}

for (const line of ["204 No Content", "200 OK"]) {
  Deno.test(`a deletion that is answered with ${line} emits once`, async () => {
    assertEquals(await deletion([status(line)]), [undefined]);
  });
}

Deno.test("a first 404 is an error", async () => {
  await assertRejects(() => deletion([GONE]), NotFoundError);
});

const lostAnswers: Record<string, RawAnswer> = {
  "a connection reset": (connection) => connection.reset(),
  "a connection closed": (connection) => connection.end(),
  "a 500": status("500 Internal Server Error"),
  "a 502": status("502 Bad Gateway"),
};
for (const [what, lost] of Object.entries(lostAnswers)) {
  Deno.test(`a deletion retried after ${what} treats 404 as success`, async () => {
    assertEquals(await deletion([lost, GONE]), [undefined]);
  });
}

Deno.test("a deletion retried after a time-out treats 404 as success", async () => {
  using time = new FakeTime();
  const silence: RawAnswer = async (connection) => {
    time.tick(60_000); // the time limit
    time.tick(1); // the wait before the retry
    await connection.closedByClient();
  };
  assertEquals(await deletion([silence, GONE]), [undefined]);
});

Deno.test("a deletion remembers a lost answer through further attempts", async () => {
  const answers: RawAnswer[] = [
    (connection) => connection.reset(),
    status("429 Too Many Requests"),
    GONE,
  ];
  assertEquals(await deletion(answers), [undefined]);
});

for (const line of ["429 Too Many Requests", "409 Conflict", "425 Too Early"]) {
  Deno.test(`a deletion retried after ${line}, which deletes nothing, treats 404 as an error`, async () => {
    await assertRejects(() => deletion([status(line), GONE]), NotFoundError);
  });
}

Deno.test("a lost answer surfaces where nothing is tried again", async () => {
  await assertRejects(() => deletion([status("500 Oops")], false), InternalServerError);
  await assertRejects(() => deletion([status("409 Conflict")], false), ConflictError);
});

Deno.test("each subscription is a deletion of its own", async () => {
  await using server = serveRaw((connection) => connection.reset(), GONE, GONE);
  const client = new RestClient({ apiKey, baseUrl: server.url, retry: { initialDelayMs: 0 } });
  const delete$ = client.deleteCheckpoint$("run", "final");
  assertEquals(await lastValueFrom(delete$), undefined);
  await assertRejects(() => lastValueFrom(delete$), NotFoundError);
});
