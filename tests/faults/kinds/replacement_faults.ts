import { changeFault, faultKind, randomEnding, randomPosition } from "../fault_builders.ts";
import type { FaultKind } from "../fault_kind.ts";
import { makeFull } from "../response_changes.ts";
import { isLengthSent, sendCut, setBody } from "../wire_response.ts";

/** Archives that change during a transfer. */
export const REPLACEMENT_FAULTS: readonly FaultKind[] = [
  changeFault("the archive is replaced, with a new ETag", (response, context) => {
    context.stored.replace(context.random.pick(["sameLength", "otherLength"]), "new");
    makeFull(response, context);
  }, { isAfterCut: true }),
  faultKind("the archive is replaced after a cut", async (context) => {
    const { connection, random, response } = context;
    await sendCut(
      connection,
      random,
      response,
      randomPosition(random, response),
      randomEnding(random),
    );
    context.stored.replace(random.pick(["sameLength", "otherLength"]), "new");
  }),
  faultKind("the archive is replaced by one of equal length after a cut", async (context) => {
    const { connection, random, response } = context;
    await sendCut(
      connection,
      random,
      response,
      randomPosition(random, response),
      randomEnding(random),
    );
    context.stored.replace("sameLength", "new");
  }),
  faultKind("another length under the same strong ETag after a cut", async (context) => {
    const { connection, random, response } = context;
    await sendCut(
      connection,
      random,
      response,
      randomPosition(random, response),
      randomEnding(random),
    );
    context.stored.replace("otherLength", "same");
    if (!isLengthSent(response)) context.recordDefect("altered");
  }, { defect: "altered" }),
  faultKind("other bytes under the same strong ETag after a cut", async (context) => {
    const { connection, random, response } = context;
    await sendCut(
      connection,
      random,
      response,
      randomPosition(random, response),
      randomEnding(random),
    );
    context.stored.replace("sameLength", "same");
    context.recordDefect("altered");
  }, { defect: "altered" }),
  changeFault("the archive is overwritten while it is read", (response, context) => {
    const at = randomPosition(context.random, response);
    const { offset, body } = response;
    context.stored.replace("sameLength", "same");
    const rest = context.stored.source.gzip.subarray(offset + at, offset + body.length);
    setBody(response, Buffer.concat([body.subarray(0, at), rest]));
    context.recordDefect("altered");
  }, { defect: "altered" }),
  changeFault("a changed bit", (response, context) => {
    const body = response.body.slice();
    const at = context.random.int(body.length);
    body[at] = (body[at] ?? 0) ^ (1 << context.random.int(8));
    setBody(response, body);
    context.recordDefect("altered");
  }, { defect: "altered" }),
];
