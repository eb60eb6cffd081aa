/** Returns the environment variables of this process, except `HPCAI_…`. */
export function environmentWithoutHpcai(): Record<string, string> {
  const variables = Object.entries(Deno.env.toObject());
  return Object.fromEntries(variables.filter(([name]) => !name.startsWith("HPCAI_")));
}
