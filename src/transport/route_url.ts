/** A route of the API and its query. */
export interface RouteOptions {
  /** The segments below `/api/v1/`, without percent-encoding. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, number | string>>;
}

/** The URL of a route. */
export function routeUrl(baseUrl: URL, { path, query = {} }: RouteOptions): URL {
  const route = ["api", "v1", ...path].map(encodeURIComponent).join("/");
  const search = Object.entries(query)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join("&");
  return new URL(`${baseUrl.href.replace(/\/+$/, "")}/${route}${search && `?${search}`}`);
}
