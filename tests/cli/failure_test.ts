import {
  ApiConnectionError,
  apiStatusError,
  ApiTimeoutError,
  DownloadInterruptedError,
  HpcaiError,
  InvalidArchiveError,
  InvalidArgumentError,
  LimitExceededError,
  UnsafeArchiveError,
} from "../../src/errors.ts";
import { assertEquals } from "@std/assert";
import { toFailure } from "../../src/cli/failure.ts";
import { PathExistsError, toPathError } from "../../src/fs/path_errors.ts";

const request = { method: "GET", requestUrl: "https://api.example/" };

/** Makes the error of the library for an error code of the operating system. */
function savingError(code: string): unknown {
  return toPathError("Cannot save a.tar.gz", Object.assign(new Error(code), { code }));
}

const failures: Record<string, [error: unknown, exitCode: number, advice: string]> = {
  "a timeout": [
    new ApiTimeoutError("The request timed out after 5 ms", request),
    5,
    "Check the network and --base-url, then retry.",
  ],
  "an interrupted download": [
    new DownloadInterruptedError("the connection was lost", 1, 2),
    5,
    "Run the same command again.",
  ],
  "an invalid archive": [
    new InvalidArchiveError("it ends early"),
    1,
    "Run the same command again; if that fails too, the archive is damaged on the server.",
  ],
  "an unsafe archive": [
    new UnsafeArchiveError("../x", "it leads out"),
    1,
    "Nothing was written. Use archives from trusted sources only.",
  ],
  "an error with advice": [
    new HpcaiError("Another process is saving there", { advice: "Wait for its end." }),
    1,
    "Wait for its end.",
  ],
  "a full disk": [
    savingError("ENOSPC"),
    1,
    "Free disk space, then run it again.",
  ],
  "a read-only directory": [
    savingError("EROFS"),
    1,
    "Choose a path on a file system that can be written to.",
  ],
  "an existing file": [
    new PathExistsError("path", "a.tar.gz exists", { advice: "Use the option overwrite." }),
    2,
    "Pass --force to replace it, or name another with -o.",
  ],
  "an existing directory": [
    new PathExistsError("directory", "a exists"),
    2,
    "Pass --force to replace it and all its files, or name another with -o.",
  ],
  "a device": [new InvalidArgumentError("path", "is a device"), 2, "Name another with -o."],
  "an invalid argument": [new InvalidArgumentError("limit", "must be 1"), 2, "See --help."],
  "a large listing": [
    new LimitExceededError("maxJsonBytes", 1, "The response"),
    1,
    "Check --base-url: no listing of the API is that large.",
  ],
  "a missing permission in Deno": [
    Object.assign(new Error("Requires net access"), { name: "NotCapable" }),
    2,
    "Run it with --allow-env --allow-net --allow-read --allow-write.",
  ],
  "a bug": [new TypeError("a bug"), 1, "Run it again with --debug to see more."],
  "an invalid certificate": [
    new ApiConnectionError("No", request, { obstacle: "certificate" }),
    5,
    "Check --base-url and the clock of this machine. Trust a private authority with DENO_CERT in " +
    "Deno, or with NODE_EXTRA_CA_CERTS in Node.",
  ],
  "a missing network permission": [
    new ApiConnectionError("No", request, {
      obstacle: "permission",
      advice: "Run with --allow-net=api.example.",
    }),
    5,
    "Run with --allow-net=api.example.",
  ],
  "a proxy that Node ignores": [
    new ApiConnectionError("No", request, { ignoredProxy: "HTTPS_PROXY" }),
    5,
    "Node ignores HTTPS_PROXY. Set NODE_USE_ENV_PROXY=1, which Node 24 and later support.",
  ],
  "a blocked port": [
    new ApiConnectionError("No", request, { obstacle: "port" }),
    5,
    "Use another port in --base-url.",
  ],
  "a file that another process has locked": [
    savingError("EBUSY"),
    1,
    "Close the program that uses the file, or choose another path.",
  ],
  "a rate limit of the storage": [
    apiStatusError({
      ...request,
      status: 429,
      message: "no",
      isRedirected: true,
      advice: "Retry in 2 minutes.",
    }),
    1,
    "Retry in 2 minutes.",
  ],
  "a rate limit": [
    apiStatusError({ ...request, status: 429, message: "no", advice: "Retry in 5 minutes." }),
    1,
    "Retry in 5 minutes.",
  ],
  "an archive that was deleted": [
    apiStatusError({ ...request, status: 410, message: "gone", advice: "Use listCheckpoints$." }),
    1,
    "`checkpoint list` shows what exists.",
  ],
  "a key without permission": [
    apiStatusError({ ...request, status: 403, message: "no", advice: "Use another key." }),
    3,
    "Use another key.",
  ],
  "a signed URL that the storage rejects": [
    apiStatusError({ ...request, status: 403, message: "expired", isRedirected: true }),
    1,
    "Run the same command again, which requests a new URL.",
  ],
};
for (const [what, [error, exitCode, advice]] of Object.entries(failures)) {
  Deno.test(`toFailure returns exit code ${exitCode} and advice for ${what}`, () => {
    const failure = toFailure(error);
    assertEquals([failure.exitCode, failure.advice, failure.cause], [exitCode, advice, error]);
  });
}

Deno.test("toFailure takes the problem from the error's field", () => {
  const problems: [Error, string][] = [
    // The message contains the request and the advice too.
    [
      new ApiConnectionError("The connection failed (GET x). Retry", request, { advice: "Wait." }),
      "The connection failed (GET x). Retry",
    ],
    [new InvalidArgumentError("baseUrl", "contains a; b"), "The base URL contains a; b"],
    [new InvalidArgumentError("other", "is wrong"), "other is wrong"],
    [new PathExistsError("path", "path: a; b exists"), "path: a; b exists"],
    [new TypeError("a; b. c"), "a; b. c"],
  ];
  for (const [error, problem] of problems) assertEquals(toFailure(error).problem, problem);
});

Deno.test("src/cli/ has no module that parses a message", async () => {
  const directory = new URL("../../src/cli/", import.meta.url);
  const partOfMessage =
    /\b(?:message|problem|reason|advice)\s*\)?\s*[?!]?\.(?!length)\w+\(|(?:match|exec|test|split|replace)\w*\(\s*[\w.]*\.(?:message|problem|reason|advice)\b/;
  for await (const { name } of Deno.readDir(directory)) {
    const source = await Deno.readTextFile(new URL(name, directory));
    assertEquals(source.match(partOfMessage)?.[0], undefined, name);
  }
});
