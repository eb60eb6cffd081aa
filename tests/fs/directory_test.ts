import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { makeDirectory } from "../../src/fs/directory.ts";

Deno.test("makeDirectory creates a directory and its parents", async () => {
  const root = await Deno.makeTempDir();
  try {
    await makeDirectory(join(root, "a", "b", "c"));
    await makeDirectory(join(root, "a", "b", "c"));
    assertEquals((await Deno.stat(join(root, "a", "b", "c"))).isDirectory, true);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("makeDirectory creates the directories of concurrent calls once", async () => {
  const root = await Deno.makeTempDir();
  try {
    const paths = ["a/b/c", "a/b/d", "a/b/c", "a/e"].map((path) => join(root, path));
    await Promise.all(paths.map(makeDirectory));
    for (const path of paths) assertEquals((await Deno.stat(path)).isDirectory, true);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

// In procfs mkdir(2) fails with ENOENT although the parent exists. A process of its own has the permission
// to write there.
Deno.test({
  name: "makeDirectory fails where the file system cannot create a directory, without a loop",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const module = new URL("../../src/fs/directory.ts", import.meta.url);
    const program = `import { makeDirectory } from "${module}";
      const codes = await Promise.all(
        ["/proc/none", "/proc/none/a/b"].map((path) => makeDirectory(path).catch(({ code }) => code)),
      );
      console.log(codes.join());`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", program],
      signal: AbortSignal.timeout(20_000),
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "ENOENT,ENOENT\n");
  },
});
