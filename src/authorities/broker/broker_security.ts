/** Mutual TLS with the broker; both sides are verified by SPIFFE id (`docs/spec/identity-spire.md` 5.1, S39). */
import type { TlsMaterial, TlsSecurity } from "../../grpc/channel.ts";
import { Code, GrpcError } from "../../grpc/status.ts";
import type { Certificate } from "../../identity/certificate.ts";
import { inspectChain, isRefusal } from "../../identity/peer_chain.ts";
import { isExpired } from "../../identity/renewal.ts";
import type { PeerRefusal } from "../../net/tls_context.ts";
import type { OwnIdentity, OwnIdentityFollower } from "./own_identity.ts";

/** What the verification needs. */
interface BrokerSecurityParts {
  readonly own: OwnIdentityFollower;
  /** The SPIFFE id of the broker; null: any id of the proxy's own trust domain. */
  readonly serverId: string | null;
  /** The configured address of the Workload API, for errors. */
  readonly workloadApi: string;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** Returns the security for the channel to the broker; its material is the proxy's own SVID. */
export function brokerSecurity(parts: BrokerSecurityParts): TlsSecurity {
  const { own, workloadApi } = parts;
  return {
    async material(): Promise<TlsMaterial> {
      const identity = await ownOrGrpcError(own);
      return {
        anchors: identity.anchors,
        anchorsFrom: `the trust bundle of ${identity.trustDomain} from ${workloadApi}`,
        credentials: { chain: identity.svid.chain, key: identity.svid.key },
        serverName: null,
        tls12: false,
        accept: (path) => refuseServer(path, identity, parts.serverId),
      };
    },
    isCurrent: (material) => {
      const svid = own.current?.svid;
      const current = svid !== undefined && !isExpired(svid, parts.now()) && material.credentials?.key === svid.key;
      return Promise.resolve(current);
    },
  };
}

async function ownOrGrpcError(own: OwnIdentityFollower): Promise<OwnIdentity> {
  try {
    return await own.wait();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new GrpcError(Code.Unavailable, text, "setup");
  }
}

function refuseServer(path: readonly Certificate[], own: OwnIdentity, serverId: string | null): PeerRefusal | null {
  const server = inspectChain(path.map(({ der }) => der), "server");
  if (isRefusal(server)) return server;
  if (server.trustDomain !== own.trustDomain) {
    return {
      code: "TRUST_DOMAIN_MISMATCH",
      message: `the broker is ${server.id}, of another trust domain than the proxy's`,
    };
  }
  if (serverId === null || server.id === serverId) return null;
  const message = `the broker is ${server.id}, and SPIFFE_BROKER_SERVER_SPIFFE_ID expects ${serverId}`;
  return { code: "SAN_MISMATCH", message };
}
