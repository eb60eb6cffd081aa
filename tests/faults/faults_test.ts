import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { HpcaiError } from "@hpcai/rx";
import type { saveArchive$, SaveEvent } from "@hpcai/rx/fs";
import { connect, type Socket } from "node:net";
import { constants, gunzipSync } from "node:zlib";
import { defer } from "rxjs";
import { TAR_BLOCK } from "../../src/testing/tar_header.ts";
import { archiveSets, isEqual, sha256 } from "./archive.ts";
import { FAULT_KINDS } from "./fault_kinds.ts";
import { CHECKPOINT_ID, FaultServer, TRAINING_RUN_ID } from "./fault_server.ts";
import { runSchedule } from "./run_schedule.ts";
import { ALL_COMBINATIONS, type Schedule, scheduleOf, type ServerTraits } from "./schedule.ts";

const [ARCHIVES] = archiveSets();
assert(ARCHIVES !== undefined);

const ARCHIVE_PATH =
  `/api/v1/training_runs/${TRAINING_RUN_ID}/checkpoints/${CHECKPOINT_ID}/archive`;

const SOUND: ServerTraits = {
  framing: "length",
  etag: "strong",
  isKeptAlive: false,
  hasRanges: true,
  heedsIfRange: true,
  way: "bytes",
  isStoredElsewhere: false,
};

/** A schedule that has only the faults that are named. */
function scheduleWith(names: readonly string[], traits: Partial<ServerTraits> = {}): Schedule {
  return {
    ...scheduleOf(1, 0, 1),
    operation: "save",
    isVerified: false,
    isEndless: false,
    traits: { ...SOUND, ...traits },
    faults: names.map((name) => {
      const kind = FAULT_KINDS.find((kind) => kind.name === name);
      assert(kind !== undefined, name);
      return { kind, seed: 7, at: "api" };
    }),
  };
}

/** Sends one request over bare TCP and gives all that comes back, and how the connection ended. */
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
      for (const { packed, tar, files, tarEnd } of Object.values(versions)) {
        await Deno.writeFile(`${directory}/a.tar.gz`, packed);
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
        assert(isEqual(gunzipSync(packed), tar));
        // Up to there the tar has its two zero blocks, and no more.
        const { Z_SYNC_FLUSH } = constants;
        const beginning = gunzipSync(packed.subarray(0, tarEnd), { finishFlush: Z_SYNC_FLUSH });
        assert(isEqual(beginning, tar.subarray(0, beginning.length)));
        assert(beginning.subarray(-2 * TAR_BLOCK).every((byte: number) => byte === 0));
        assert(beginning.at(-2 * TAR_BLOCK - TAR_BLOCK) !== 0);
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("scheduleOf gives the same schedule for the same numbers", () => {
  assertEquals(scheduleOf(3, 17, 4), scheduleOf(3, 17, 4));
});

Deno.test("schedules in sequence have each of more than 40 kinds with and without length, strong ETag and keep-alive", () => {
  assertGreater(FAULT_KINDS.length, 40);
  assertEquals(new Set(FAULT_KINDS.map(({ name }) => name)).size, FAULT_KINDS.length);
  const schedules = Array.from(
    { length: ALL_COMBINATIONS },
    (_, number) => scheduleOf(5, number, 4),
  );
  for (const { subject, faults } of schedules) {
    assert(faults.some(({ kind }) => kind === subject), subject.name);
  }
  const combinations = schedules.map(({ subject, traits: { framing, etag, isKeptAlive } }) =>
    // Some kinds need one way of saying where a body ends.
    [subject.name, subject.framing ?? framing === "length", etag === "strong", isKeptAlive].join()
  );
  const ofKinds = FAULT_KINDS.map(({ framing }) => framing === undefined ? 8 : 4);
  assertEquals(new Set(combinations).size, ofKinds.reduce((sum, count) => sum + count, 0));
});

Deno.test("a fault server without faults gives the archive, ranges of it, and says when it has changed", async () => {
  const schedule = scheduleWith([]);
  const { first } = ARCHIVES;
  const whole = await respond(schedule);
  assertStringIncludes(whole.head, "HTTP/1.1 200 OK");
  assertStringIncludes(whole.head, `Content-Length: ${first.packed.length}`);
  assert(isEqual(whole.body, first.packed));
  const rest = await respond(schedule, ["Range: bytes=70000-", 'If-Range: "v1"']);
  assertStringIncludes(rest.head, "HTTP/1.1 206 Partial Content");
  const last = first.packed.length - 1;
  assertStringIncludes(rest.head, `Content-Range: bytes 70000-${last}/${first.packed.length}`);
  assert(isEqual(rest.body, first.packed.subarray(70_000)));
  const other = await respond(schedule, ["Range: bytes=70000-", 'If-Range: "v0"']);
  assertStringIncludes(other.head, "HTTP/1.1 200 OK");
});

Deno.test("a fault server cuts a body by FIN or by RST, as its kind says", async () => {
  for (const [name, ending] of [["cut by FIN", "fin"], ["cut by RST", "rst"]] as const) {
    const response = await respond(scheduleWith([name]));
    assertEquals(response.ending, ending);
    // A reset can overtake the headers.
    if (ending === "fin") assertGreater(ARCHIVES.first.packed.length, response.body.length);
  }
});

Deno.test("a fault server can end a chunked body early, in due form", async () => {
  const { body, ending } = await respond(
    scheduleWith(["a last chunk that comes early"], { framing: "chunked" }),
  );
  assertEquals(ending, "fin");
  assertGreater(ARCHIVES.first.packed.length, body.length);
  assertEquals(Buffer.from(body.subarray(-5)).toString(), "0\r\n\r\n");
});

Deno.test("a fault server records the lies that only reading the archive through can find", async () => {
  await using server = new FaultServer(
    scheduleWith(["a Content-Length too small, and met"]),
    ARCHIVES,
  );
  await server.listen();
  const { head, body } = await exchange(server);
  assertStringIncludes(head, `Content-Length: ${body.length}`);
  assertEquals(server.lies, [{ lie: "short", length: body.length }]);
  assert(isEqual(body, ARCHIVES.first.packed.subarray(0, body.length)));
});

/** Saves whatever comes, as a client does that trusts everything. */
const trustingSaverAt = (baseUrl: string): typeof saveArchive$ => (_client, _checkpoint, path) =>
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

async function faultsOf(schedule: Schedule, saverAt?: typeof trustingSaverAt): Promise<string[]> {
  assert(ARCHIVES !== undefined);
  const directory = await Deno.makeTempDir();
  try {
    const { faults } = await runSchedule(schedule, ARCHIVES, directory, saverAt);
    return faults.map(({ fault }) => fault);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("runSchedule finds the wrong files of a client that trusts the end of a stream", async () => {
  const names = [
    "a last chunk that comes early",
    "a close-delimited body ends early",
    "500",
    "200 with HTML",
  ];
  for (const name of names) {
    assertEquals(await faultsOf(scheduleWith([name]), trustingSaverAt), ["wrong"], name);
  }
  assertEquals(await faultsOf(scheduleWith([]), trustingSaverAt), []);
});

Deno.test("runSchedule finds errors without a class, and files that are left behind", async () => {
  const throwing = (): typeof saveArchive$ => () =>
    defer((): Promise<SaveEvent> => Promise.reject(new TypeError("untyped")));
  assertEquals(await faultsOf(scheduleWith([]), throwing), ["untyped"]);
  const littering = (): typeof saveArchive$ => (_client, _checkpoint, path) =>
    defer(async (): Promise<SaveEvent> => {
      await Deno.writeTextFile(`${path}.tmp`, "");
      throw new HpcaiError("Cannot save");
    });
  assertEquals(await faultsOf(scheduleWith([]), littering), ["leftovers"]);
});

Deno.test("runSchedule finds nothing wrong with what saveArchive$ does after a cut", async () => {
  assertEquals(await faultsOf(scheduleWith(["cut by FIN", "no response"])), []);
});

Deno.test("extractArchive$ ends where what it reads fails while the transfer restarts it", async () => {
  const name = "other bytes under the same strong ETag after a cut";
  for (let seed = 0; seed < 8; seed++) {
    const schedule = scheduleWith([name], { framing: "chunked" });
    const faults = schedule.faults.map((fault) => ({ ...fault, seed }));
    assertEquals(await faultsOf({ ...schedule, operation: "extract", faults }), []);
  }
});
