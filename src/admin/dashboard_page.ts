/**
 * The page of the dashboard and its parts. They are files beside this module, in the executable too (`compile.sh`), read
 * and compressed for each request: nothing of them stays in memory. `deno task dashboard` makes them from `dashboard/`.
 */
import { compressedPieces } from "./compression.ts";
import { chooseCoding } from "./content_coding.ts";
import type { AnyResponse, HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";
import { streamed } from "./streamed.ts";

/** The files by path, with their content type. */
export const PAGE_FILES = {
  "/dashboard.html": "text/html; charset=utf-8",
  "/dashboard.css": "text/css; charset=utf-8",
  "/dashboard.js": "text/javascript; charset=utf-8",
} as const;

/** A path of {@link PAGE_FILES}. */
export type PageFile = keyof typeof PAGE_FILES;

/**
 * The page loads its own script and style and asks this port, and nothing else. No page may embed it. `data:` is the icon.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const HEADERS = [
  ["content-security-policy", POLICY],
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
  // A proxy that was replaced must not leave the page of the old one behind.
  ["cache-control", "no-store"],
  ["vary", "accept, accept-encoding"],
] as const;

/** Reads a file; replaced by tests. */
type ReadFile = (path: PageFile) => Promise<string>;

const readBeside: ReadFile = (path) => Deno.readTextFile(new URL(`.${path}`, import.meta.url));

/** Serves one of the files, by GET and HEAD only. */
export function pageHandler(path: PageFile, read: ReadFile = readBeside): HttpHandler {
  return async ({ method, headers }): Promise<AnyResponse> => {
    if (method !== "GET" && method !== "HEAD") {
      const refused = plainText(405, "use GET\n");
      return { ...refused, headers: [...refused.headers, ["allow", "GET, HEAD"]] };
    }
    const all = [["content-type", PAGE_FILES[path]], ...HEADERS] as const;
    const text = await read(path);
    const coding = chooseCoding(headers.get("accept-encoding") ?? []) ?? "identity";
    if (coding === "identity") return { status: 200, headers: all, body: text };
    return streamed([...all, ["content-encoding", coding]], compressedPieces(piecesOf(text), coding), () => {});
  };
}

async function* piecesOf(text: string): AsyncGenerator<string, void, undefined> {
  yield text;
}
