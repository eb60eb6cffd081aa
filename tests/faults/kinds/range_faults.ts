import { randomPosition, rangeFault } from "../fault_builders.ts";
import type { FaultKind } from "../fault_kind.ts";
import { makeFull, makePartial, makeUnsatisfiable, setRange } from "../response_changes.ts";
import { setBody, setHeader } from "../wire_response.ts";

/** Responses to the range request that resumes a transfer. */
export const RANGE_FAULTS: readonly FaultKind[] = [
  rangeFault("206 without Content-Range", (response, context) => {
    makePartial(response, context);
    setHeader(response, "Content-Range", undefined);
  }),
  rangeFault("206 from another byte", (response, context) => {
    const [, last, total] = makePartial(response, context);
    const from = context.random.int(last);
    setBody(response, context.stored.source.gzip.subarray(from));
    setRange(response, from, last, total);
  }),
  rangeFault("206 whose bytes start before its range", (response, context) => {
    const [first, last, total] = makePartial(response, context);
    setRange(response, Math.max(0, first - 1 - context.random.int(100)), last, total);
  }),
  rangeFault("206 of the complete archive", (response, context) => {
    const [, last, total] = makePartial(response, context);
    setBody(response, context.stored.source.gzip);
    setRange(response, 0, last, total);
  }),
  rangeFault("206 with a last byte beyond the total", (response, context) => {
    const [first, last, total] = makePartial(response, context);
    setRange(response, first, last + 1 + context.random.int(1_000), total);
  }),
  rangeFault("206 with a last byte before the end of its body", (response, context) => {
    const [first, last, total] = makePartial(response, context);
    setRange(response, first, Math.max(first, last - 1 - context.random.int(1_000)), total);
  }),
  rangeFault("206 with a total too long", (response, context) => {
    const [first, last, total] = makePartial(response, context);
    setRange(response, first, last, total + 1 + context.random.int(1_000));
  }),
  rangeFault("206 with a total and a body too short", (response, context) => {
    const [first] = makePartial(response, context);
    const length = randomPosition(context.random, response);
    setBody(response, response.body.subarray(0, length));
    setRange(response, first, first + length - 1, first + length);
    if (!context.isLengthKnown) context.recordDefect("short", first + length);
  }, { defect: "short" }),
  rangeFault("206 with an unknown total", (response, context) => {
    const [first, last] = makePartial(response, context);
    setRange(response, first, last, "*");
  }),
  rangeFault("206 with an unknown total and a body too short", (response, context) => {
    const [first] = makePartial(response, context);
    const length = randomPosition(context.random, response);
    setBody(response, response.body.subarray(0, length));
    setRange(response, first, first + length - 1, "*");
  }),
  rangeFault("206 of a replaced archive under its new ETag", (response, context) => {
    context.stored.replace("sameLength", "new");
    makePartial(response, context);
    setBody(response, context.stored.source.gzip.subarray(response.offset));
    setHeader(response, "ETag", context.etag);
  }),
  rangeFault("206 of a replaced archive of another length", (response, context) => {
    context.stored.replace("otherLength", "new");
    const { gzip } = context.stored.source;
    makePartial(response, context);
    setBody(response, gzip.subarray(response.offset));
    setRange(response, response.offset, gzip.length - 1, gzip.length);
    setHeader(response, "ETag", context.etag);
  }),
  rangeFault("206 of a replaced archive without an ETag", (response, context) => {
    context.stored.replace("sameLength", "new");
    makePartial(response, context);
    setBody(response, context.stored.source.gzip.subarray(response.offset));
    setHeader(response, "ETag", undefined);
  }),
  rangeFault("206 with another ETag", (response, context) => {
    makePartial(response, context);
    setHeader(response, "ETag", '"another"');
  }),
  rangeFault("206 without an ETag", (response, context) => {
    makePartial(response, context);
    setHeader(response, "ETag", undefined);
  }),
  rangeFault("206 with a weak ETag", (response, context) => {
    makePartial(response, context);
    setHeader(response, "ETag", `W/${context.etag?.replace("W/", "") ?? '"weak"'}`);
  }),
  rangeFault("206 in another unit", (response, context) => {
    const [first, last, total] = makePartial(response, context);
    setHeader(response, "Content-Range", `items ${first}-${last}/${total}`);
  }),
  rangeFault("206 with a malformed Content-Range", (response, context) => {
    makePartial(response, context);
    setHeader(response, "Content-Range", context.random.pick(["bytes", "bytes 5", "5-9/10"]));
  }),
  rangeFault("206 in several parts", (response, context) => {
    const [first, last, total] = makePartial(response, context);
    const start = `--b\r\nContent-Range: bytes ${first}-${last}/${total}\r\n\r\n`;
    setBody(response, Buffer.concat([Buffer.from(start), response.body, Buffer.from("\r\n--b--")]));
    setHeader(response, "Content-Type", "multipart/byteranges; boundary=b");
    setHeader(response, "Content-Range", undefined);
  }),
  rangeFault("206 with more bytes than its range", (response, context) => {
    makePartial(response, context);
    const extra = new Uint8Array(1 + context.random.int(2_000)).fill(0x2e);
    setBody(response, Buffer.concat([response.body, extra]));
  }),
  rangeFault("206 with fewer bytes than its range", (response, context) => {
    makePartial(response, context);
    setBody(response, response.body.subarray(0, randomPosition(context.random, response)));
  }),
  rangeFault("206 of a part of the requested range, which is valid", (response, context) => {
    const [first, , total] = makePartial(response, context);
    const length = randomPosition(context.random, response);
    setBody(response, response.body.subarray(0, length));
    setRange(response, first, first + length - 1, total);
  }),
  rangeFault("206 without a body", (response, context) => {
    makePartial(response, context);
    setBody(response, new Uint8Array());
  }),

  rangeFault("200 to a range request", makeFull),
  rangeFault("200 to a range request, of a replaced archive", (response, context) => {
    context.stored.replace(context.random.pick(["sameLength", "otherLength"]), "new");
    makeFull(response, context);
  }),
  rangeFault("416 with the correct total", (response, context) => {
    makeUnsatisfiable(response, `bytes */${context.stored.source.gzip.length}`, context.etag);
  }),
  rangeFault("416 with the byte reached as total, without an ETag", (response, context) => {
    makeUnsatisfiable(response, `bytes */${context.requestedFrom}`, undefined);
  }),
  rangeFault("416 with the byte reached as total and another ETag", (response, context) => {
    makeUnsatisfiable(response, `bytes */${context.requestedFrom}`, '"another"');
  }),
  rangeFault("416 with the byte reached as total and the same ETag", (response, context) => {
    if (!context.isLengthKnown) context.recordDefect("short", context.requestedFrom);
    makeUnsatisfiable(response, `bytes */${context.requestedFrom}`, context.etag);
  }, { defect: "short" }),
  rangeFault("416 with a smaller total", (response, context) => {
    const total = Math.max(0, context.requestedFrom - 1 - context.random.int(1_000));
    makeUnsatisfiable(response, `bytes */${total}`, context.etag);
  }),
  rangeFault("416 without Content-Range", (response, context) => {
    makeUnsatisfiable(response, undefined, context.etag);
  }),
];
