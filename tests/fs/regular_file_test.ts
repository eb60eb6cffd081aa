import { assertEquals, assertRejects } from "@std/assert";
import { open } from "node:fs/promises";
import { openRegularFile, readBytes } from "../../src/fs/regular_file.ts";

Deno.test("readBytes fails at the next chunk after an abort", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, new Uint8Array(2_000_000));
  const file = await open(path);
  const aborting = new AbortController();
  let chunks = 0;
  try {
    await assertRejects(
      async () => {
        for await (const _chunk of readBytes(file, Infinity, aborting.signal)) {
          chunks++;
          aborting.abort(new Error("enough"));
        }
      },
      Error,
      "enough",
    );
    assertEquals(chunks, 1);
  } finally {
    await file.close();
    await Deno.remove(path);
  }
});

Deno.test("openRegularFile opens a file, and nothing else", async () => {
  const directory = await Deno.makeTempDir();
  const script = 'cd "$1" && echo hi > file && ln -s file link && mkfifo fifo && mkdir directory';
  await new Deno.Command("bash", { args: ["-c", script, "bash", directory] }).output();
  const opened: Record<string, boolean> = {};
  for (const name of ["file", "link", "fifo", "directory", "missing"]) {
    for (const access of ["read", "write"] as const) {
      const file = await openRegularFile(`${directory}/${name}`, access);
      opened[`${name} ${access}`] = file !== undefined;
      await file?.close();
    }
  }
  const expected = Object.keys(opened).filter((key) => opened[key]);
  assertEquals(expected, ["file read", "file write"]);
  await Deno.remove(directory, { recursive: true });
});
