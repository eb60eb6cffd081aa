import { InjectionToken } from "@angular/core";
import { RestClient } from "@hpcai/rx";

/**
 * The client of the app. Its relative URL leads to server.ts, which adds the key, so that no key reaches
 * the browser. It retries twice at most, since a user waits for the result.
 */
export const REST_CLIENT = new InjectionToken<RestClient>("RestClient", {
  factory: () => new RestClient({ baseUrl: "/hpcai", retry: { maxRetries: 2 } }),
});
