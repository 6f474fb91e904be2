/** Makes the authority for Istio's CA from the settings (`docs/spec/identity-spire.md` 3.1, 3.2). */
import type { Config } from "../../config/config.ts";
import { mayBeSecret } from "../../config/secret_header.ts";
import { ConfigError } from "../../config/error.ts";
import { isReservedHeader } from "../../grpc/headers.ts";
import { openChannel } from "../../grpc/open_channel.ts";
import { namedServer } from "../../grpc/server_trust.ts";
import { isPrivate, parseTarget, type Target } from "../../grpc/target.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import type { WallClock } from "../../net/clock.ts";
import { IstioAuthority } from "./istio_authority.ts";

/** The settings that are used. */
type IstioSettings = Pick<Config, "mode" | "ca" | "token" | "tls" | "node">;

/** Returns the authority, which connects with the first fetch. Throws {@link ConfigError} where no address is set. */
export function openIstio(
  { mode, ca, token, tls, node }: IstioSettings,
  clock: WallClock,
  log: WriteLine,
): IstioAuthority {
  const target = parseTarget(ca.address ?? "");
  if (target === null) throw new ConfigError("ca_address must be set to use CA: set CA_ADDRESS");
  const warn = (text: string) => log("warn", text, {});
  logHeadersAndToken({ ca, token }, target, log);
  const trust = {
    roots: ca.roots,
    alternativeHostname: ca.alternativeHostname,
    tls12: tls.tls12,
    settings: { roots: "CA_ROOT_CA", alternativeHostname: "ALT_CA_HOSTNAME" },
  };
  const channel = openChannel({
    target,
    security: target.tls ? namedServer(target, trust) : null,
    headers: ca.headers,
    token: token === null ? null : { source: token, clusterId: node.clusterId },
    clock,
    warn,
  });
  const impersonate = mode === "shared";
  return new IstioAuthority({ channel, lifetime: ca.secretTtl, impersonate, now: () => clock.now(), warn });
}

function logHeadersAndToken({ ca, token }: Pick<Config, "ca" | "token">, target: Target, log: WriteLine): void {
  for (const [name, value] of ca.headers) {
    if (isReservedHeader(name)) {
      log("warn", `CA_HEADER_${name} is not sent: the name belongs to HTTP/2 or gRPC`, {});
    } else {
      log("debug", `CA header added: ${name}=${mayBeSecret(name) ? "***" : value}`, {});
    }
  }
  if (token !== null && !isPrivate(target)) {
    log("warn", `token is sent unencrypted to ${target.text}: use https for CA_ADDRESS`, {});
  }
}
