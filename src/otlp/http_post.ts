/** Requests to a collector by HTTP (OTLP specification, "OTLP/HTTP"), with the runtime's own client. */
import type { OtlpSignalSettings } from "../config/otlp_settings.ts";
import type { CollectorAnswer, Post } from "./batch_sender.ts";

/** Bytes of an answer that are read. */
const ANSWER_MAX = 65_536;

/** PEM texts. */
interface CollectorCredentials {
  /** The CA certificates for the collector; null: those of the runtime. */
  readonly authorities: string | null;
  /** By which the collector knows this proxy; null: none. */
  readonly identity: { readonly cert: string; readonly key: string } | null;
}

/** Throws where the texts cannot be used. Undefined: the runtime's own client will do. */
export function collectorClient({ authorities, identity }: CollectorCredentials): Deno.HttpClient | undefined {
  if (authorities === null && identity === null) return undefined;
  return Deno.createHttpClient({ caCerts: authorities === null ? [] : [authorities], ...identity });
}

/** `client`: undefined: the runtime's own one. */
export function httpPost(
  { url, headers, isCompressed }: Pick<OtlpSignalSettings, "url" | "headers" | "isCompressed">,
  client: Deno.HttpClient | undefined,
  userAgent: string,
): Post {
  const sent: [string, string][] = [
    ["user-agent", userAgent],
    ...headers.map(([name, value]): [string, string] => [name, value]),
    ["content-type", "application/x-protobuf"],
    ...(isCompressed ? [["content-encoding", "gzip"] as [string, string]] : []),
  ];
  return async (body, signal) => {
    const response = await fetch(url, {
      method: "POST",
      headers: sent,
      body: isCompressed ? await gzip(body) : body as Uint8Array<ArrayBuffer>,
      // A redirection could send the headers elsewhere.
      redirect: "manual",
      signal,
      ...(client === undefined ? {} : { client }),
    });
    return await answerOf(response);
  };
}

async function answerOf(response: Response): Promise<CollectorAnswer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    length += part.length;
    // Leaving the loop cancels the rest.
    if (length >= ANSWER_MAX) break;
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return { status: response.status, retryAfter: response.headers.get("retry-after"), body };
}

async function gzip(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
