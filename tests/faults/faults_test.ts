import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { HpcaiError } from "@hpcai/rx";
import type { saveArchive$, SaveEvent } from "@hpcai/rx/fs";
import { connect, type Socket } from "node:net";
import { constants, gunzipSync } from "node:zlib";
import { defer } from "rxjs";
import { TAR_BLOCK } from "../../src/testing/tar_header.ts";
import { sha256 } from "../sha256.ts";
import { archiveSets, isEqual } from "./archive.ts";
import { FAULT_KINDS } from "./fault_kinds.ts";
import { CHECKPOINT_ID, FaultServer, TRAINING_RUN_ID } from "./fault_server.ts";
import { runSchedule } from "./run_schedule.ts";
import { ALL_COMBINATIONS, type Schedule, scheduleOf, type ServerTraits } from "./schedule.ts";

const [ARCHIVES] = archiveSets();
assert(ARCHIVES !== undefined);

const ARCHIVE_PATH =
  `/api/v1/training_runs/${TRAINING_RUN_ID}/checkpoints/${CHECKPOINT_ID}/archive`;

const DEFAULT_TRAITS: ServerTraits = {
  framing: "length",
  etag: "strong",
  isKeepAlive: false,
  hasRanges: true,
  hasIfRange: true,
  delivery: "bytes",
  hasSeparateStore: false,
};

/** A schedule with the named faults only. */
function scheduleWith(names: readonly string[], traits: Partial<ServerTraits> = {}): Schedule {
  return {
    ...scheduleOf(1, 0, 1),
    operation: "save",
    isVerified: false,
    isEndless: false,
    traits: { ...DEFAULT_TRAITS, ...traits },
    faults: names.map((name) => {
      const kind = FAULT_KINDS.find((kind) => kind.name === name);
      assert(kind !== undefined, name);
      return { kind, seed: 7, at: "api" };
    }),
  };
}

/** Sends one request over TCP; returns the response and how the connection ends. */
async function exchange(
  server: FaultServer,
  headers: readonly string[] = [],
): Promise<{ head: string; body: Uint8Array; ending: "fin" | "rst" }> {
  const { hostname, port } = new URL(server.baseUrl);
  const socket: Socket = connect(Number(port), hostname);
  socket.write([`GET ${ARCHIVE_PATH} HTTP/1.1`, "Host: fault", ...headers, "", ""].join("\r\n"));
  const chunks: Uint8Array[] = [];
  const ending = await new Promise<"fin" | "rst">((resolve) => {
    socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    socket.on("end", () => resolve("fin"));
    socket.on("error", () => resolve("rst"));
  });
  await new Promise((resolve) =>
    socket.destroyed ? resolve(0) : socket.on("close", resolve).destroy()
  );
  const bytes = Buffer.concat(chunks);
  const end = bytes.indexOf("\r\n\r\n");
  return { head: bytes.subarray(0, end).toString(), body: bytes.subarray(end + 4), ending };
}

async function respond(schedule: Schedule, headers?: readonly string[]) {
  assert(ARCHIVES !== undefined);
  await using server = new FaultServer(schedule, ARCHIVES);
  await server.listen();
  return await exchange(server, headers);
}

Deno.test("archiveSets makes archives that gzip and GNU tar read", async () => {
  const directory = await Deno.makeTempDir();
  try {
    for (const versions of archiveSets()) {
      for (const { gzip, tar, files, tarEnd } of Object.values(versions)) {
        await Deno.writeFile(`${directory}/a.tar.gz`, gzip);
        const run = (...args: string[]) =>
          new Deno.Command("tar", {
            args: [...args, "-f", `${directory}/a.tar.gz`],
            cwd: directory,
          })
            .output();
        assert((await run("-xz")).success);
        for (const [name, hash] of files) {
          assertEquals(sha256(await Deno.readFile(`${directory}/${name}`)), hash);
        }
        assert(isEqual(gunzipSync(gzip), tar));
        // Up to that position the tar contains its two zero blocks and nothing after them.
        const { Z_SYNC_FLUSH } = constants;
        const beginning = gunzipSync(gzip.subarray(0, tarEnd), { finishFlush: Z_SYNC_FLUSH });
        assert(isEqual(beginning, tar.subarray(0, beginning.length)));
        assert(beginning.subarray(-2 * TAR_BLOCK).every((byte: number) => byte === 0));
        assert(beginning.at(-2 * TAR_BLOCK - TAR_BLOCK) !== 0);
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("scheduleOf returns the same schedule for the same numbers", () => {
  assertEquals(scheduleOf(3, 17, 4), scheduleOf(3, 17, 4));
});

Deno.test("scheduleOf combines each of more than 40 kinds with and without length, strong ETag and keep-alive", () => {
  assertGreater(FAULT_KINDS.length, 40);
  assertEquals(new Set(FAULT_KINDS.map(({ name }) => name)).size, FAULT_KINDS.length);
  const schedules = Array.from(
    { length: ALL_COMBINATIONS },
    (_, number) => scheduleOf(5, number, 4),
  );
  for (const { subject, faults } of schedules) {
    assert(faults.some(({ kind }) => kind === subject), subject.name);
  }
  const combinations = schedules.map(({ subject, traits: { framing, etag, isKeepAlive } }) =>
    // Some kinds require a framing.
    [subject.name, subject.framing ?? framing === "length", etag === "strong", isKeepAlive].join()
  );
  const ofKinds = FAULT_KINDS.map(({ framing }) => framing === undefined ? 8 : 4);
  assertEquals(new Set(combinations).size, ofKinds.reduce((sum, count) => sum + count, 0));
});

Deno.test("FaultServer without faults sends the archive, ranges of it, and a 200 for another ETag", async () => {
  const schedule = scheduleWith([]);
  const { first } = ARCHIVES;
  const complete = await respond(schedule);
  assertStringIncludes(complete.head, "HTTP/1.1 200 OK");
  assertStringIncludes(complete.head, `Content-Length: ${first.gzip.length}`);
  assert(isEqual(complete.body, first.gzip));
  const rest = await respond(schedule, ["Range: bytes=70000-", 'If-Range: "v1"']);
  assertStringIncludes(rest.head, "HTTP/1.1 206 Partial Content");
  const last = first.gzip.length - 1;
  assertStringIncludes(rest.head, `Content-Range: bytes 70000-${last}/${first.gzip.length}`);
  assert(isEqual(rest.body, first.gzip.subarray(70_000)));
  const other = await respond(schedule, ["Range: bytes=70000-", 'If-Range: "v0"']);
  assertStringIncludes(other.head, "HTTP/1.1 200 OK");
});

Deno.test("FaultServer cuts a body by FIN or by RST", async () => {
  for (const [name, ending] of [["cut by FIN", "fin"], ["cut by RST", "rst"]] as const) {
    const response = await respond(scheduleWith([name]));
    assertEquals(response.ending, ending);
    // A reset can overtake the headers.
    if (ending === "fin") assertGreater(ARCHIVES.first.gzip.length, response.body.length);
  }
});

Deno.test("FaultServer ends a chunked body early with a last chunk", async () => {
  const { body, ending } = await respond(
    scheduleWith(["an early last chunk"], { framing: "chunked" }),
  );
  assertEquals(ending, "fin");
  assertGreater(ARCHIVES.first.gzip.length, body.length);
  assertEquals(Buffer.from(body.subarray(-5)).toString(), "0\r\n\r\n");
});

Deno.test("FaultServer records hidden defects", async () => {
  await using server = new FaultServer(
    scheduleWith(["a Content-Length and a body too short"]),
    ARCHIVES,
  );
  await server.listen();
  const { head, body } = await exchange(server);
  assertStringIncludes(head, `Content-Length: ${body.length}`);
  assertEquals(server.defects, [{ defect: "short", length: body.length }]);
  assert(isEqual(body, ARCHIVES.first.gzip.subarray(0, body.length)));
});

/** Saves every body as an archive, without any check. */
const uncheckedSaverAt = (baseUrl: string): typeof saveArchive$ => (_client, _checkpoint, path) =>
  defer(async (): Promise<SaveEvent> => {
    try {
      const bytes = await (await fetch(`${baseUrl}${ARCHIVE_PATH}`)).bytes();
      await Deno.writeFile(path, bytes);
      const { length: loaded } = bytes;
      const facts = { loaded, size: loaded, format: "tar.gz", sha256: sha256(bytes) } as const;
      return { type: "complete", path, ...facts };
    } catch (cause) {
      throw new HpcaiError("Cannot save", { cause });
    }
  });

async function violationsOf(
  schedule: Schedule,
  saverAt?: typeof uncheckedSaverAt,
): Promise<string[]> {
  assert(ARCHIVES !== undefined);
  const directory = await Deno.makeTempDir();
  try {
    const { violations } = await runSchedule(schedule, ARCHIVES, directory, saverAt);
    return violations.map(({ violation }) => violation);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("runSchedule detects the wrong files of a client without checks", async () => {
  const names = [
    "an early last chunk",
    "a close-delimited body ends early",
    "500",
    "200 with HTML",
  ];
  for (const name of names) {
    assertEquals(await violationsOf(scheduleWith([name]), uncheckedSaverAt), ["wrong"], name);
  }
  assertEquals(await violationsOf(scheduleWith([]), uncheckedSaverAt), []);
});

Deno.test("runSchedule detects errors of other classes, and remaining files", async () => {
  const untypedSaver = (): typeof saveArchive$ => () =>
    defer((): Promise<SaveEvent> => Promise.reject(new TypeError("untyped")));
  assertEquals(await violationsOf(scheduleWith([]), untypedSaver), ["untyped"]);
  const litteringSaver = (): typeof saveArchive$ => (_client, _checkpoint, path) =>
    defer(async (): Promise<SaveEvent> => {
      await Deno.writeTextFile(`${path}.tmp`, "");
      throw new HpcaiError("Cannot save");
    });
  assertEquals(await violationsOf(scheduleWith([]), litteringSaver), ["leftovers"]);
});

Deno.test("runSchedule reports no violation of saveArchive$ after a cut", async () => {
  assertEquals(await violationsOf(scheduleWith(["cut by FIN", "no response"])), []);
});

Deno.test("extractArchive$ fails when the archive is malformed while the transfer restarts", async () => {
  const name = "other bytes under the same strong ETag after a cut";
  for (let seed = 0; seed < 8; seed++) {
    const schedule = scheduleWith([name], { framing: "chunked" });
    const faults = schedule.faults.map((fault) => ({ ...fault, seed }));
    assertEquals(await violationsOf({ ...schedule, operation: "extract", faults }), []);
  }
});
