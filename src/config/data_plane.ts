/** Settings of listeners, sockets, HTTP/2 and TLS (`docs/spec/config-admin.md` 1.3 to 1.7, 3). */
import { type Ip, LOOPBACK_V4, parsePort, parseSocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { NetworkAddresses } from "./addresses.ts";
import type { HTTP2, PORTS } from "./catalogue/network.ts";
import type { SettingWith } from "./catalogue/settings.ts";
import type { Http2Settings, ListenerSettings, ProxyMode, ServerAddress, SocketSettings, TlsPolicy } from "./config.ts";
import type { Environment } from "./environment.ts";
import { invalidConfiguration, invalidVariable } from "./error.ts";
import { metadataText, type ProxyConfig } from "./proxy_config.ts";
import { parseBool } from "./scalars.ts";

/** `PACKET_MARK` of shared mode: keeps the redirection rules from catching our own packets. */
const SHARED_MARK = 1337;

type PortSetting = Exclude<keyof typeof PORTS, "ADMIN_PORT" | "STATS_PORT">;

/**
 * The port variables are ours: they let two proxies share a machine. Port 0 lets the kernel choose, with the port
 * that was chosen in the `listener established` line.
 */
export function listenerSettings(
  environment: Environment,
  mesh: ProxyConfig,
  { wildcard, localhostIpv6 }: NetworkAddresses,
): ListenerSettings {
  const at = (ip: Ip, name: PortSetting) => ({ ip, port: environment.u16(name) });
  const server = (address: ReturnType<typeof at>): ServerAddress => ({ kind: "address", address });
  const dns = dnsAddress(metadataText(mesh, "ISTIO_META_DNS_PROXY_ADDR"), localhostIpv6);
  const socks5 = environment.bool("UNSTABLE_ENABLE_SOCKS5") ? at(LOOPBACK_V4, "SOCKS5_PORT") : null;
  const inbound = at(wildcard, "INBOUND_PORT");
  const outbound = at(wildcard, "OUTBOUND_PORT");
  const inboundPlaintext = at(wildcard, "INBOUND_PLAINTEXT_PORT");
  return {
    outbound,
    inbound,
    inboundPlaintext,
    socks5,
    dns,
    admin: {
      kind: "localhost",
      ipv6: localhostIpv6,
      port: environment.u16("ADMIN_PORT") ?? mesh.adminPort ?? 15000,
    },
    stats: server({ ip: wildcard, port: environment.u16("STATS_PORT") ?? mesh.statsPort ?? 15020 }),
    readiness: server(at(wildcard, "READINESS_PORT")),
  };
}

function dnsAddress(text: string, ipv6: boolean): ServerAddress {
  const host = /^localhost:(.*)$/.exec(text)?.[1];
  const port = host === undefined ? null : parsePort(host);
  if (port !== null) return { kind: "localhost", ipv6, port };
  const address = parseSocketAddress(text);
  if (address !== null) return { kind: "address", address };
  throw invalidConfiguration(`failed to parse DNS_PROXY_ADDR: ${text} (invalid socket address syntax)`);
}

/** `PACKET_MARK`, `ENABLE_ORIG_SRC`, keepalive and timeouts. Throws {@link ConfigError}. */
export function socketSettings(environment: Environment, mode: ProxyMode): SocketSettings {
  const keepalive = {
    enabled: environment.bool("KEEPALIVE_ENABLED"),
    time: environment.duration("KEEPALIVE_TIME"),
    interval: environment.duration("KEEPALIVE_INTERVAL"),
    retries: environment.u32("KEEPALIVE_RETRIES"),
  };
  const mark = environment.u32("PACKET_MARK") ?? (mode === "shared" ? SHARED_MARK : 0);
  const timed = environment.bool("USER_TIMEOUT_ENABLED");
  return {
    mark: mark === 0 ? null : mark,
    originalSource: environment.parse("ENABLE_ORIG_SRC", parseBool),
    keepalive,
    userTimeout: timed ? keepalive.time + keepalive.retries * keepalive.interval : null,
    connectTimeout: connectTimeout(environment),
    halfClosedTimeout: environment.duration("HALF_CLOSED_TIMEOUT"),
  };
}

/** Throws {@link ConfigError} for zero, with which no connection would ever be made. */
function connectTimeout(environment: Environment): Millis {
  const value = environment.duration("CONNECT_TIMEOUT");
  if (value > 0) return value;
  throw invalidVariable("CONNECT_TIMEOUT", environment.text("CONNECT_TIMEOUT"), "must be longer than 0");
}

/** RFC 9113 6.9.1: no window may exceed 2^31-1. */
const WINDOW_MAX = 2147483647;
/** RFC 9113 6.5.2: bounds of SETTINGS_MAX_FRAME_SIZE. Checked at the start, not when the first peer connects. */
const FRAME_MIN = 16384;
const FRAME_MAX = 16777215;

/** Share of the memory that received bytes may take, and the smallest useful bound. */
const HELD_SHARE = 8, HELD_LEAST = 32 << 20;

/** `memory`: bytes that this process may use, null: not known. `workers`: each worker has its own bound. */
export function http2Settings(environment: Environment, memory: number | null, workers: number): Http2Settings {
  const size = (name: keyof typeof HTTP2 & SettingWith<"u32">, min: number, max: number) => {
    const value = environment.u32(name);
    if (value >= min && value <= max) return value;
    throw invalidVariable(name, environment.text(name), `must be between ${min} and ${max}`);
  };
  return {
    streamWindow: size("HTTP2_STREAM_WINDOW_SIZE", 0, WINDOW_MAX),
    connectionWindow: size("HTTP2_CONNECTION_WINDOW_SIZE", 0, WINDOW_MAX),
    maxFrameSize: size("HTTP2_FRAME_SIZE", FRAME_MIN, FRAME_MAX),
    heldBytesMax: environment.u64("HELD_BYTES_MAX") ??
      Math.max(HELD_LEAST, Math.floor((memory ?? 0) / HELD_SHARE / workers)),
    // Zero acts as one: each stream gets a connection of its own.
    maxStreamsPerConnection: Math.max(1, environment.u16("POOL_MAX_STREAMS_PER_CONNECTION")),
    unusedReleaseTimeout: environment.duration("POOL_UNUSED_RELEASE_TIMEOUT"),
  };
}

/** Whether the TLS library can do what the policy wants is checked when the library is opened. */
export function tlsPolicy(environment: Environment): TlsPolicy {
  return {
    tls12: environment.flag("TLS12_ENABLED", "true"),
    postQuantumOnly: environment.flag("COMPLIANCE_POLICY", "pqc"),
    fips: ["fips-140-2", "fips-140-3"].includes(environment.text("COMPLIANCE_POLICY")),
    library: environment.text("TLS_LIBRARY") || null,
    crlPath: environment.text("CRL_PATH") || null,
  };
}
