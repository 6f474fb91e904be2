/** A waypoint without Envoy: an application behind the node proxy, which ends HBONE for it and passes PROXY protocol on. */
import { run } from "../program.ts";
import { eventually } from "../eventually.ts";
import type { KubernetesCluster } from "./cluster.ts";
import { documents, NAMESPACE, pod, PORTS, serviceAccount } from "./objects.ts";

const WAYPOINT = "waypoint";
const BINDING = { "ambient.istio.io/waypoint-inbound-binding": "PROXY/15088" };
const GATEWAY_NAME = { "gateway.networking.k8s.io/gateway-name": WAYPOINT };
/** In full, as Istio has a kind of that name too. */
const GATEWAY = "gateways.gateway.networking.k8s.io";
const TYPES = ["gatewayclasses", "gateways"];

/** Installs the kinds of the Gateway API; before istiod, which looks for them when it starts. */
export async function installGatewayApi(cluster: KubernetesCluster): Promise<void> {
  const folder = (await run(`${new URL(".", import.meta.url).pathname}gateway_api.sh`)).trim();
  for (const type of TYPES) await cluster.applyFile(`${folder}/gateway.networking.k8s.io_${type}.yaml`);
}

/** Starts a waypoint that forwards everything to the pod at `ip`; resolves when istiod knows its address. */
export async function startWaypoint(cluster: KubernetesCluster, ip: string): Promise<void> {
  await cluster.apply(documents(
    serviceAccount(WAYPOINT),
    pod(WAYPOINT, { app: WAYPOINT, node: 1, args: [WAYPOINT, `${ip}:${PORTS.echo}`], labels: GATEWAY_NAME }),
    gatewayService(),
    gateway(),
  ));
  await cluster.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", `pod/${WAYPOINT}`, "--timeout=60s");
  const address = { type: "IPAddress", value: await cluster.field("service", WAYPOINT, "{.spec.clusterIP}") };
  await eventually("the gateway's address", async () => {
    const patch = JSON.stringify({ status: { addresses: [address] } });
    const target = ["-n", NAMESPACE, GATEWAY, WAYPOINT];
    await cluster.kubectl("patch", ...target, "--subresource=status", "--type=merge", "-p", patch);
    return await cluster.field(GATEWAY, WAYPOINT, "{.status.addresses[0].value}") === address.value;
  });
}

/** Returns the identities for which the waypoint has forwarded connections. */
export async function forwardedFor(cluster: KubernetesCluster): Promise<string[]> {
  const log = await cluster.kubectl("-n", NAMESPACE, "logs", WAYPOINT);
  return [...log.matchAll(/forwarding for (\S+)/g)].map(([, identity]) => identity!);
}

function gatewayService(): unknown {
  const ports = [{ name: "hbone", port: 15008 }];
  const metadata = { name: WAYPOINT, namespace: NAMESPACE, labels: GATEWAY_NAME };
  return { apiVersion: "v1", kind: "Service", metadata, spec: { selector: { app: WAYPOINT }, ports } };
}

/** An address of the type Hostname tells istiod that the pods exist already. */
function gateway(): unknown {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: {
      name: WAYPOINT,
      namespace: NAMESPACE,
      annotations: BINDING,
      labels: { "istio.io/waypoint-for": "service" },
    },
    spec: {
      gatewayClassName: "istio-waypoint",
      addresses: [{ type: "Hostname", value: `${WAYPOINT}.${NAMESPACE}.svc.cluster.local` }],
      listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
    },
  };
}
