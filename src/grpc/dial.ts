/** Connects to an endpoint: name resolution, TCP or a Unix socket, within one time limit. */
import type * as dns from "node:dns/promises";
import type * as net from "node:net";
import type { Clock } from "../net/clock.ts";
import { errnoText } from "../os/errno.ts";
import { Code, GrpcError } from "./status.ts";
import { type Endpoint, endpointText } from "./target.ts";

/** ms (`docs/spec/xds-state.md` 2.2). Interval and number of the probes are the kernel's defaults: 75 s, 9. */
const KEEPALIVE_IDLE = 300_000;

/** Loaded on demand, as nothing else in the main isolate uses them. */
interface Modules {
  readonly net: typeof net;
  readonly dns: typeof dns;
}

/**
 * Returns a connected socket; tries all addresses of a name in turn. `timeout`: ms. Rejects with {@link GrpcError} of
 * stage `connect`, or the signal's reason.
 */
export async function dial(
  endpoint: Endpoint,
  timeout: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<net.Socket> {
  signal.throwIfAborted();
  const modules: Modules = { net: await import("node:net"), dns: await import("node:dns/promises") };
  const expiry = new AbortController();
  const timer = clock.after(timeout, () => {
    expiry.abort(connectError(`${endpointText(endpoint)}: no answer within ${timeout / 1000} s`));
  });
  try {
    return await dialUntil(endpoint, modules, AbortSignal.any([signal, expiry.signal]));
  } finally {
    timer.cancel();
  }
}

async function dialUntil(endpoint: Endpoint, { net, dns }: Modules, signal: AbortSignal): Promise<net.Socket> {
  if (endpoint.kind === "unix") {
    const { path } = endpoint;
    return await connected(() => net.connect({ path }), `unix socket ${path}`, signal);
  }
  const { host, port } = endpoint;
  const addresses = endpoint.ip !== null ? [endpoint.ip] : await resolve(dns, host, signal);
  let failure = connectError(`no address is known for ${host}`);
  for (const address of addresses) {
    try {
      const where = `tcp connect error: ${endpointText({ ...endpoint, host: address })}`;
      return await connected(() => net.connect({ host: address, port }), where, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof GrpcError)) throw error;
      failure = error;
    }
  }
  throw failure;
}

async function resolve(dns: Modules["dns"], host: string, signal: AbortSignal): Promise<string[]> {
  try {
    const found = await untilAborted(dns.lookup(host, { all: true, order: "verbatim" }), signal);
    return found.map(({ address }) => address);
  } catch (error) {
    if (signal.aborted) throw error;
    throw connectError(`dns error: failed to look up "${host}": ${resolverText(error)}`);
  }
}

/** A running lookup cannot be stopped, so its result is ignored after an abort. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    if (signal.aborted) abort();
  });
}

function connected(connect: () => net.Socket, where: string, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect();
    const finish = () => {
      signal.removeEventListener("abort", abort);
      socket.off("error", failed).off("connect", succeeded);
    };
    const fail = (error: unknown) => {
      finish();
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    };
    const abort = () => fail(signal.reason);
    const failed = (error: Error) => fail(connectError(`${where}: ${systemText(error)}`));
    const succeeded = () => {
      finish();
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEPALIVE_IDLE);
      resolve(socket);
    };
    signal.addEventListener("abort", abort, { once: true });
    socket.once("error", failed).once("connect", succeeded);
  });
}

/** The message of every connect error, as in the Rust ztunnel; the source has the details. */
export const CONNECT_MESSAGE = "client error (Connect)";

/** Makes an error of stage `connect`. `source`: what failed. */
export function connectError(source: string): GrpcError {
  return new GrpcError(Code.Unavailable, CONNECT_MESSAGE, "connect", source);
}

const RESOLVER_TEXTS: Record<string, string> = {
  EAI_AGAIN: "Temporary failure in name resolution",
  EAI_NONAME: "Name or service not known",
  ENOTFOUND: "Name or service not known",
  EAI_NODATA: "No address associated with hostname",
};

function resolverText(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return RESOLVER_TEXTS[code] ?? systemText(error);
}

/** Returns the text of a system error as Rust formats it: `Connection refused (os error 111)`. */
export function systemText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const number = "errno" in error && typeof error.errno === "number" ? Math.abs(error.errno) : 0;
  return number > 0 && number < 4096 ? errnoText(number) : error.message;
}
