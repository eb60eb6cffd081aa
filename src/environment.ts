/** The globals of the runtimes that give access to the environment. */
interface EnvironmentGlobals {
  readonly Deno?: {
    readonly env: { get(name: string): string | undefined };
    readonly permissions: {
      querySync(query: { name: "env"; variable: string }): { readonly state: string };
    };
  };
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

/** Reads an environment variable. One that is empty or cannot be read counts as not set. */
export function environmentVariable(name: string): string | undefined {
  if (isEnvironmentVariableDenied(name)) return undefined;
  const { Deno, process } = globalThis as EnvironmentGlobals;
  return (Deno?.permissions === undefined ? process?.env?.[name] : Deno.env.get(name)) || undefined;
}

/**
 * Whether Deno has no permission to read an environment variable. Only the state of the permission is
 * queried, since reading without it would prompt.
 */
export function isEnvironmentVariableDenied(name: string): boolean {
  const { Deno } = globalThis as EnvironmentGlobals;
  return Deno?.permissions !== undefined &&
    Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted";
}
