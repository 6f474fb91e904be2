/** Requests for tests of routes. */
import type { RequestHead } from "../request_head.ts";

/** A GET request. `query`: without `?`. */
export function get(path: string, query = ""): RequestHead {
  return {
    method: "GET",
    path,
    query,
    headers: new Map(),
    minor: 1,
    keepAlive: true,
    bodyLength: 0,
    waitsWithBody: false,
  };
}
