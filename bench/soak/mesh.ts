/** The mesh of a soak run as xDS resources. */
import { identityOf, NAMESPACE, SERVICE } from "../../lab/bed/mesh.ts";
import { ipToBytes, parseIp } from "../../src/net/address.ts";
import { istio } from "../../testkit/gen/resources.js";
import type { ScriptedResource } from "../../testkit/control_plane_stream.ts";
import { APP } from "./load.ts";

/** A workload that a proxy of the run serves. */
interface Member {
  /** Also the service account. */
  readonly name: string;
  readonly node: string;
  readonly ips: readonly string[];
  /** It is a backend of `SERVICE`. */
  readonly serves?: boolean;
  /** It accepts only mTLS. */
  readonly strict?: boolean;
}

const STRICT = `${NAMESPACE}/strict`;
const SERVICE_KEY = `${NAMESPACE}/${SERVICE.hostname}`;
const bytesOf = (ip: string) => ipToBytes(parseIp(ip)!);

/** The resource of a workload. */
export function workloadOf({ name, node, ips, serves, strict }: Member): ScriptedResource {
  const uid = `soak//Pod/${NAMESPACE}/${name}`;
  const body = istio.workload.Address.encode({
    workload: {
      uid,
      name,
      namespace: NAMESPACE,
      serviceAccount: name,
      node,
      addresses: ips.map(bytesOf),
      tunnelProtocol: istio.workload.TunnelProtocol.HBONE,
      authorizationPolicies: strict ? [STRICT] : [],
      services: serves ? { [SERVICE_KEY]: { ports: [{ servicePort: SERVICE.port, targetPort: APP }] } } : {},
    },
  }).finish();
  return { name: uid, version: ips.join(), body };
}

/** The resource of `SERVICE`. */
export function theService(): ScriptedResource {
  const body = istio.workload.Address.encode({
    service: {
      name: "server",
      namespace: NAMESPACE,
      hostname: SERVICE.hostname,
      addresses: [{ address: bytesOf(SERVICE.ip) }, { address: bytesOf(SERVICE.ip6) }],
      ports: [{ servicePort: SERVICE.port, targetPort: APP }],
    },
  }).finish();
  return { name: SERVICE_KEY, version: "1", body };
}

/** The policy of workloads with `strict`: connections without an identity are refused. */
export function strictPolicy(): ScriptedResource {
  return denial("strict", istio.security.Scope.WORKLOAD_SELECTOR, { notPrincipals: [{ presence: {} }] });
}

/** Refuses a workload that does not exist; another one for each number. */
export function harmlessPolicy(number: number): ScriptedResource {
  const nobody = identityOf(`nobody-${number}`).replace("spiffe://", "");
  return denial(`harmless-${number}`, istio.security.Scope.NAMESPACE, { principals: [{ exact: nobody }] });
}

/** Refuses connections to this port of all pods. */
export function portPolicy(port: number): ScriptedResource {
  return denial("port", istio.security.Scope.NAMESPACE, { destinationPorts: [port] });
}

function denial(
  name: string,
  scope: istio.security.Scope,
  match: Parameters<typeof istio.security.Match.encode>[0],
): ScriptedResource {
  const policy = { name, namespace: NAMESPACE, scope, action: istio.security.Action.DENY };
  const body = istio.security.Authorization.encode({ ...policy, rules: [{ clauses: [{ matches: [match] }] }] });
  return { name: `${NAMESPACE}/${name}`, version: "1", body: body.finish() };
}
