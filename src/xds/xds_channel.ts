/** Makes channels to the control plane from the configuration (`docs/spec/xds-state.md` 2.1 to 2.3). */
import type { Config } from "../config/config.ts";
import type { ChannelOptions, GrpcChannel } from "../grpc/channel.ts";
import { isReservedHeader } from "../grpc/headers.ts";
import { openChannel } from "../grpc/open_channel.ts";
import { namedServer } from "../grpc/server_trust.ts";
import { isPrivate, parseTarget } from "../grpc/target.ts";
import type { WallClock } from "../net/clock.ts";

/** Bytes (`docs/spec/xds-state.md` 2.2). */
const MESSAGE_LIMIT = 200 * 1024 * 1024;

type XdsChannelConfig = Pick<Config, "xds" | "token" | "tls" | "node">;

/**
 * Returns a function that makes a channel for each attempt. `xds.address` must be set; the configuration has checked it.
 * `warn` is called for settings that have no effect or are not safe.
 */
export function xdsConnector(
  config: XdsChannelConfig,
  clock: WallClock,
  warn: (text: string) => void,
): () => GrpcChannel {
  const options = xdsChannelOptions(config, clock, warn);
  return () => openChannel(options);
}

/** The settings of a channel to the control plane; otherwise as {@link xdsConnector}. */
export function xdsChannelOptions(
  config: XdsChannelConfig,
  clock: WallClock,
  warn: (text: string) => void,
): ChannelOptions {
  const target = parseTarget(config.xds.address ?? "");
  if (target === null) throw new TypeError(`"${config.xds.address}" is no address of a control plane`);
  for (const [name] of config.xds.headers) {
    if (isReservedHeader(name)) warn(`XDS_HEADER_${name} is not sent: the name belongs to HTTP/2 or gRPC`);
  }
  if (config.token !== null && !isPrivate(target)) {
    warn(`token is sent unencrypted to ${target.text}: use https for XDS_ADDRESS`);
  }
  const { xds, token, tls, node } = config;
  const trust = {
    roots: xds.roots,
    alternativeHostname: xds.alternativeHostname,
    tls12: tls.tls12,
    settings: { roots: "XDS_ROOT_CA", alternativeHostname: "ALT_XDS_HOSTNAME" },
  };
  return {
    target,
    security: target.tls ? namedServer(target, trust) : null,
    headers: xds.headers,
    token: token === null ? null : { source: token, clusterId: node.clusterId },
    messageLimit: MESSAGE_LIMIT,
    clock,
  };
}
