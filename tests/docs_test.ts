import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

function filesIn(directory: string, extension: string): string[] {
  return [...Deno.readDirSync(new URL(directory, ROOT))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return filesIn(`${directory}${name}/`, extension);
    return name.endsWith(extension) ? [`${directory}${name}`] : [];
  });
}

const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

function exists(path: string): boolean {
  try {
    Deno.statSync(new URL(path, ROOT));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const DOCUMENTS = ["README.md", "CONTRIBUTING.md", ...filesIn("docs/", ".md")];

for (const document of DOCUMENTS) {
  Deno.test(`${document} names and links files that exist`, () => {
    const text = read(document);
    const named = text.matchAll(/`((?:src|tests|tasks|docs|examples|bench)\/[\w./]+)`/g);
    const linked = text.matchAll(/\]\((?!https?:|#)([^)#]+)/g);
    const paths = [
      ...[...named].map(([, path = ""]) => path),
      ...[...linked].map(([, path = ""]) => new URL(path, new URL(document, ROOT)).href),
    ];
    assertEquals(paths.filter((path) => !exists(path)), []);
  });
}

Deno.test("docs/design/limits.md names constants of the sources", () => {
  const sources = filesIn("src/", ".ts").map(read).join("");
  const names = [...read("docs/design/limits.md").matchAll(/`([A-Z]+_[A-Z_]+)`/g)];
  assertEquals(names.flatMap(([, name = ""]) => sources.includes(`const ${name}`) ? [] : name), []);
});
