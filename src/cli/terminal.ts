/** The parts of its process that a command uses. */
import { get, request } from "node:http";
import { readSystemFile } from "../os/system_files.ts";

/** An interface, so that tests need no process. */
export interface Terminal {
  /** The width of lines; undefined: not a terminal. */
  readonly columns: number | undefined;
  print(text: string): void;
  complain(text: string): void;
  /** The text of a file, or of standard input for `-`. */
  read(path: string): Promise<string>;
  fetch(url: string): Promise<Fetched>;
  /** Sends a POST request with a text. */
  post(url: string, body: string): Promise<Fetched>;
  /** A response whose body is read while it is sent. */
  open(url: string): Promise<Opened>;
}

export interface Fetched {
  readonly status: number;
  readonly body: string;
}

/** A response whose body may have no end. */
interface Opened {
  readonly status: number;
  readonly pieces: AsyncIterable<string>;
}

export const TERMINAL: Terminal = {
  columns: Deno.stdout.isTerminal() ? Deno.consoleSize().columns : undefined,
  print: (text) => writeAll(Deno.stdout, text),
  complain: (text) => writeAll(Deno.stderr, text),
  read: async (path) => path === "-" ? await new Response(Deno.stdin.readable).text() : readFile(path),
  fetch: (url) => fetchDirectly(url, "GET", ""),
  post: (url, body) => fetchDirectly(url, "POST", body),
  open: openDirectly,
};

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += stream.writeSync(bytes.subarray(sent));
}

/** Reads any path that the user names. The permissions of this process were chosen earlier and do not include it. */
function readFile(path: string): string {
  try {
    return readSystemFile(path);
  } catch (error) {
    const why = error instanceof Error ? error.message.split(": ").at(-1) : String(error);
    throw new Error(`cannot read ${path}: ${why}`, { cause: error });
  }
}

/** Unlike the runtime's `fetch` not through a proxy that the environment names: admin ports are on loopback. */
function fetchDirectly(url: string, method: "GET" | "POST", body: string): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const headers = method === "POST" ? { "content-length": new TextEncoder().encode(body).length } : {};
    request(url, { method, headers }, (response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: decode(chunks) }));
      response.on("error", reject);
      // A response that was cut short has no "end".
      response.on("aborted", () => reject(new Error("the answer was cut off")));
    }).on("error", reject).end(body);
  });
}

function openDirectly(url: string): Promise<Opened> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      response.setEncoding("utf8");
      resolve({ status: response.statusCode ?? 0, pieces: response });
    }).on("error", reject);
  });
}

function decode(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode();
}
