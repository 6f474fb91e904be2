/** Makes the authority for Istio's CA from the settings (`docs/spec/identity-spire.md` 3.1, 3.2). */
import type { Config } from "../../config/config.ts";
import { mayBeSecret } from "../../config/secret_header.ts";
import { ConfigError } from "../../config/error.ts";
import type { ChannelOptions } from "../../grpc/channel.ts";
import { isReservedHeader } from "../../grpc/headers.ts";
import { openChannel } from "../../grpc/open_channel.ts";
import { namedServer } from "../../grpc/server_trust.ts";
import { isPrivate, parseTarget } from "../../grpc/target.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import type { WallClock } from "../../net/clock.ts";
import { IstioAuthority } from "./istio_authority.ts";

/** The settings that are used. */
type IstioSettings = Pick<Config, "mode" | "ca" | "token" | "tls" | "node">;

/** Returns the authority, which connects with the first fetch. Throws {@link ConfigError} where no address is set. */
export function openIstio(settings: IstioSettings, clock: WallClock, log: WriteLine): IstioAuthority {
  const warn = (text: string) => log("warn", text, {});
  const { mode, ca } = settings;
  for (const [name, value] of ca.headers) {
    if (isReservedHeader(name)) continue;
    log("debug", `CA header added: ${name}=${mayBeSecret(name) ? "***" : value}`, {});
  }
  const channel = openChannel(istioChannelOptions(settings, clock, warn));
  const impersonate = mode === "shared";
  return new IstioAuthority({ channel, lifetime: ca.secretTtl, impersonate, now: () => clock.now(), warn });
}

/**
 * The settings of a channel to Istio's CA. `warn` is called for settings that have no effect or are not safe. Throws
 * {@link ConfigError} where no address is set.
 */
export function istioChannelOptions(
  { ca, token, tls, node }: IstioSettings,
  clock: WallClock,
  warn: (text: string) => void,
): ChannelOptions {
  const target = parseTarget(ca.address ?? "");
  if (target === null) throw new ConfigError("ca_address must be set to use CA: set CA_ADDRESS");
  for (const [name] of ca.headers) {
    if (isReservedHeader(name)) warn(`CA_HEADER_${name} is not sent: the name belongs to HTTP/2 or gRPC`);
  }
  if (token !== null && !isPrivate(target)) {
    warn(`token is sent unencrypted to ${target.text}: use https for CA_ADDRESS`);
  }
  const trust = {
    roots: ca.roots,
    alternativeHostname: ca.alternativeHostname,
    tls12: tls.tls12,
    settings: { roots: "CA_ROOT_CA", alternativeHostname: "ALT_CA_HOSTNAME" },
  };
  return {
    target,
    security: target.tls ? namedServer(target, trust) : null,
    headers: ca.headers,
    token: token === null ? null : { source: token, clusterId: node.clusterId },
    clock,
    warn,
  };
}
