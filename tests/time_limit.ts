/**
 * Gives every test a time limit, after which Deno ends it and reports it as failed by name, whether it
 * waits, loops or runs in virtual time. `deno task test` loads this module before the tests. A test that
 * takes longer has a `timeout` of its own; the variable `TEST_TIMEOUT_MS` changes the default.
 *
 * Deno reports the call of `register` below as the location of each test.
 */

const DEFAULT_TIMEOUT_MS = 120_000;

/** What the overloads of `Deno.test` take: a name, options or a definition, and a function. */
type TestArgument = string | object | (() => void);

const timeout = Number(Deno.env.get("TEST_TIMEOUT_MS") ?? DEFAULT_TIMEOUT_MS);

const test = new Proxy(Deno.test, {
  apply(register, thisArgument, args: TestArgument[]) {
    const options = args.find((argument) => typeof argument === "object");
    const others = args.filter((argument) => argument !== options);
    const index = typeof others[0] === "string" ? 1 : 0;
    const limited = others.toSpliced(index, 0, { timeout, ...options });
    return Reflect.apply(register, thisArgument, limited);
  },
});

// `Deno.test` is read-only to TypeScript alone.
Object.assign(Deno, { test });
