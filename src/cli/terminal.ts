/** What a command line tool needs of its process. */
import { get } from "node:http";
import { readSystemFile } from "../os/system_files.ts";

/** Injected, so that tests need no process. */
export interface Terminal {
  print(text: string): void;
  complain(text: string): void;
  /** Text of a file; of standard input for `-`. */
  read(path: string): Promise<string>;
  fetch(url: string): Promise<Fetched>;
}

export interface Fetched {
  readonly status: number;
  readonly body: string;
}

export const TERMINAL: Terminal = {
  print: (text) => writeAll(Deno.stdout, text),
  complain: (text) => writeAll(Deno.stderr, text),
  read: async (path) => path === "-" ? await new Response(Deno.stdin.readable).text() : readFile(path),
  fetch: fetchDirectly,
};

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += stream.writeSync(bytes.subarray(sent));
}

/** Any path that the user names: the flags of this process were chosen before and cannot include it. */
function readFile(path: string): string {
  try {
    return readSystemFile(path);
  } catch (error) {
    const why = error instanceof Error ? error.message.split(": ").at(-1) : String(error);
    throw new Error(`cannot read ${path}: ${why}`, { cause: error });
  }
}

/** Unlike the runtime's `fetch` not through a proxy that the environment names: admin ports are on loopback. */
function fetchDirectly(url: string): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: decode(chunks) }));
      response.on("error", reject);
      // Cut off in the middle there is no "end".
      response.on("aborted", () => reject(new Error("the answer was cut off")));
    }).on("error", reject);
  });
}

function decode(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode();
}
