/** Responses with JSON. */
import type { HttpResponse } from "./response.ts";

/** Status 200 with `value` as JSON. */
export function jsonResponse(value: unknown): HttpResponse {
  return { status: 200, headers: [["content-type", "application/json"]], body: `${JSON.stringify(value)}\n` };
}
