/** The version of the package: written by `deno task version` from deno.json. */
export const VERSION = "0.1.0";
