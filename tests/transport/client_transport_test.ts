import { assertThrows } from "@std/assert";
import { transportOf } from "../../src/transport/client_transport.ts";
import { InvalidArgumentError } from "../../src/errors.ts";

Deno.test("what is no client of this copy of the package has no transport", () => {
  assertThrows(() => transportOf({}), InvalidArgumentError, "must be a RestClient of this copy");
});
