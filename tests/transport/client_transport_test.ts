import { InvalidArgumentError, RestClient } from "@hpcai/rx";
import { deleteWithBackup$, extractArchive$, saveArchive$ } from "@hpcai/rx/fs";
import { assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import { firstValueFrom, type Observable } from "rxjs";
import { transportOf } from "../../src/transport/client_transport.ts";

Deno.test("transportOf finds the transport of a client, and of one made by with", () => {
  const client = new RestClient({ apiKey: "k" });
  assertEquals(transportOf(client).events$, client.events$);
  assertEquals(transportOf(client.with({ retry: false })).events$, client.events$);
});

Deno.test("transportOf throws an InvalidArgumentError for a value that is not a client of this copy", () => {
  assertThrows(() => transportOf({}), InvalidArgumentError, "must be a RestClient of this copy");
});

const checkpoint = "hpcai://r/weights/c";
const operations: Record<string, (client: RestClient) => Observable<unknown>> = {
  saveArchive$: (client) => saveArchive$(client, checkpoint, "x.tar.gz"),
  extractArchive$: (client) => extractArchive$(client, checkpoint, "x"),
  deleteWithBackup$: (client) => deleteWithBackup$(client, checkpoint, "x.tar.gz"),
};
for (const [name, operation] of Object.entries(operations)) {
  for (const value of [{}, null, undefined, "client"]) {
    Deno.test(`${name} of ${JSON.stringify(value)} as the client fails on the error channel`, async () => {
      // JavaScript callers can pass any value.
      const work$ = operation(value as RestClient);
      const error = await firstValueFrom(work$).catch((error) => error);
      assertInstanceOf(error, InvalidArgumentError);
      assertEquals(error.argument, "client");
      assertMatch(error.advice ?? "", /Install one version/);
    });
  }
}
