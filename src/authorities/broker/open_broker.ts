/** Makes the authority for a SPIFFE Broker from the settings. */
import type { BrokerSettings, SpireSettings } from "../../config/spire_settings.ts";
import type { GrpcChannel } from "../../grpc/channel.ts";
import { openChannel } from "../../grpc/open_channel.ts";
import type { Target } from "../../grpc/target.ts";
import { CertificateError } from "../../identity/authority.ts";
import { parseSpiffeId, type SpiffeId } from "../../identity/spiffe_id.ts";
import { parseIp } from "../../net/address.ts";
import type { WallClock } from "../../net/clock.ts";
import {
  checkedDomain,
  KEEPALIVE,
  openRuntime,
  type SpireSurroundings,
  unixChannel,
  warnIfOpen,
} from "../spire/open_spire.ts";
import { SpireAuthority } from "../spire/spire_authority.ts";
import { BrokerApi } from "./broker_api.ts";
import { brokerSecurity } from "./broker_security.ts";
import { asKubernetesObject, asProcess, brokerSource, type WorkloadNaming } from "./broker_source.ts";
import { OwnIdentityFollower } from "./own_identity.ts";

/**
 * Returns the authority, which connects at once. `clusterDomain`: SPIRE's trust domain. Throws {@link CertificateError}
 * where a setting cannot be used.
 */
export function openBroker(
  settings: SpireSettings,
  broker: BrokerSettings,
  clusterDomain: string,
  around: SpireSurroundings,
): SpireAuthority {
  const { clock, random, log } = around;
  if (broker.serverId === null) {
    log(
      "warn",
      "SPIFFE_BROKER_SERVER_SPIFFE_ID is not set: any SPIFFE id of this trust domain is accepted as the broker",
      {},
    );
  }
  const trustDomain = checkedDomain(clusterDomain);
  warnIfOpen(broker.workloadApiPath, log);
  const own = new OwnIdentityFollower({
    channel: unixChannel(broker.workloadApiPath, clock),
    socket: broker.workloadApiUri,
    id: checkedId(broker.ownId),
    clock,
    random,
    log,
  });
  const api = new BrokerApi(brokerChannel(broker, own, clock), broker.socketUri, (text) => log("warn", text, {}));
  const source = brokerSource(api, own, naming(settings, broker, around));
  const { timeout } = broker;
  return new SpireAuthority({ source, trustDomain, clock, random, timeout, concurrency: settings.concurrency, log });
}

function naming(settings: SpireSettings, { attestation }: BrokerSettings, around: SpireSurroundings): WorkloadNaming {
  switch (attestation) {
    case "k8s_object":
      return asKubernetesObject(around.findPod);
    case "pid":
      return asProcess(openRuntime(settings, around), around.findPod, around.processes);
    default:
      return attestation satisfies never;
  }
}

function checkedId(text: string): SpiffeId {
  const id = parseSpiffeId(text);
  if (id === null) throw new CertificateError(`invalid spiffe identity: ${text}`, "CONFIGURATION");
  return id;
}

function brokerChannel(broker: BrokerSettings, own: OwnIdentityFollower, clock: WallClock): GrpcChannel {
  const security = brokerSecurity({
    own,
    serverId: broker.serverId,
    workloadApi: broker.workloadApiUri,
    now: () => clock.now(),
  });
  return openChannel({ target: targetOf(broker), security, headers: [], token: null, keepalive: KEEPALIVE, clock });
}

function targetOf({ socket, socketUri }: BrokerSettings): Target {
  if (socket.kind === "unix") return { text: socketUri, endpoint: socket, authority: "localhost", tls: true };
  const { host, port } = socket;
  const authority = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return { text: socketUri, endpoint: { kind: "tcp", host, ip: parseIp(host), port }, authority, tls: true };
}
