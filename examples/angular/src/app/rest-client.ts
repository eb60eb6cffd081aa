import { InjectionToken } from "@angular/core";
import { RestClient } from "@hpcai/rx";

/**
 * The client that the app uses. The relative URL leads to server.ts, which adds the key: with it the
 * client needs none, and none reaches the browser. Someone is waiting, so it gives up sooner than it
 * would by itself.
 */
export const REST_CLIENT = new InjectionToken<RestClient>("RestClient", {
  factory: () => new RestClient({ baseUrl: "/hpcai", retry: { maxRetries: 2 } }),
});
