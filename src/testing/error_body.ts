// This module is browser compatible.

/**
 * How an error's body is written: `"hpcai"` is the API's own `{"error", "message"}`, `"fastapi"` is
 * `{"detail": text}`, `"fastapi-validation"` is `{"detail": [{"loc", "msg", "type"}]}`, `"html"` is
 * a proxy's page and `"empty"` is no body at all.
 */
export type ErrorShape = "hpcai" | "fastapi" | "fastapi-validation" | "html" | "empty";

/** What went wrong, before it has a shape. */
export interface ErrorFacts {
  /** A code for programs, such as `"not_found"`. */
  readonly code: string;
  /** A sentence for people. */
  readonly message: string;
  /** More for programs; only the `"hpcai"` shape has a place for it. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** Where in the request the fault lies; only the `"fastapi-validation"` shape has a place for it. */
  readonly location?: readonly string[] | undefined;
}

/** Writes an error's body; `contentType` is `undefined` where there is none. */
export function errorBody(
  shape: ErrorShape,
  { code, message, details, location = ["body"] }: ErrorFacts,
): { readonly text: string; readonly contentType: string | undefined } {
  const json = (value: unknown) => ({
    text: JSON.stringify(value),
    contentType: "application/json",
  });
  switch (shape) {
    case "hpcai":
      return json({ error: code, message, details });
    case "fastapi":
      return json({ detail: message });
    case "fastapi-validation":
      return json({ detail: [{ loc: location, msg: message, type: code }] });
    case "html":
      return {
        text: `<html><head><title>${message}</title></head><body><h1>${message}</h1></body></html>`,
        contentType: "text/html; charset=utf-8",
      };
    case "empty":
      return { text: "", contentType: undefined };
  }
}
