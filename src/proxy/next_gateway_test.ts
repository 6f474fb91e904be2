/** Waypoints and gateways of other networks that cannot be reached, where there are others (`dataplane.md` 1.5.3). */
import { strict as assert } from "node:assert";
import { GATEWAY, TwoNetworks } from "../dataplane/testkit/gateway.ts";
import { at, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";
import { rawServer } from "../hbone/testkit/peer.ts";
import { DEFAULT_SERVICE } from "../mesh/model/defaults.ts";
import { namespacedHostname, workloadUid } from "../mesh/model/model.ts";
import { parseIp } from "../net/address.ts";

const REFUSED = "io error: Connection refused (os error 111)";
const GATEWAYS = namespacedHostname("default", "gateway.default.svc");

/** The workload of each access line, with the error. */
function outcomes({ access }: TestNode): string[] {
  return access.map((line) => `${/dst\.workload="([^"]*)"/.exec(line)?.[1]}${/ error="(.*)"$/.exec(line)?.[1] ?? ""}`);
}

/** Two networks, where gateway-0, which does not run, is chosen first. */
function twoGateways(): TwoNetworks {
  const bed = new TwoNetworks({
    gateway: {
      kind: "hostname",
      key: GATEWAYS,
      namespace: "default",
      hostname: "gateway.default.svc",
      hboneMtlsPort: 15008,
    },
  });
  bed.host("10.1.0.8");
  const gateways = [["gateway-0", "10.1.0.8"], ["gateway", GATEWAY]] as const;
  bed.apply({
    kind: "service",
    service: {
      ...DEFAULT_SERVICE,
      key: GATEWAYS,
      namespace: "default",
      hostname: "gateway.default.svc",
      ports: new Map([[15008, 15008]]),
    },
    endpoints: [],
  });
  for (const [name, ip] of gateways) {
    const { workload } = workloadAt(name, ip, { network: "south", services: [GATEWAYS], serviceAccount: "gateway" });
    bed.apply({ kind: "workload", workload, endpoints: new Map([[GATEWAYS, new Map()]]) });
  }
  return bed;
}

Deno.test("next endpoint, double HBONE: a gateway that refuses is replaced by another one of its service", () => {
  const bed = twoGateways();
  const [client, app] = bed.through();
  client.send("x");
  bed.run();
  assert.equal(app.text, "x");
  client.end();
  bed.run();
  assert.deepEqual(outcomes(bed.client), [`gateway-0${REFUSED}`, "echo-app"], "the record names who was reached");
  const again = bed.call();
  again.end();
  bed.run();
  assert.equal(bed.client.host.dialled.filter(({ ip }) => ip === "10.1.0.8").length, 1, "it is set back");
  bed.client.plane.state.health!.close();
  bed.assertClean();
});

Deno.test("next endpoint, double HBONE: a gateway that answers 503 is not set back", () => {
  const bed = twoGateways();
  const context = bed.context("spiffe://cluster.local/ns/default/sa/gateway");
  rawServer(bed.host("10.1.0.8"), at("10.1.0.8:15008"), context, {}, (peer) => {
    peer.answer = (log) => log.stream.respond([[":status", "503"]], true);
  });
  const [client] = bed.through();
  client.end();
  bed.run();
  assert.deepEqual(outcomes(bed.client), ["gateway-0http status: 503 Service Unavailable", "echo-app"]);
  const { health } = bed.client.plane.state;
  assert.equal(health!.avoidance(workloadUid("Kubernetes//Pod/default/gateway-0"), 15008), null);
});

Deno.test("next endpoint, double HBONE: an endpoint on another network is replaced by one on this network", () => {
  const bed = new TwoNetworks();
  bed.node("echo-2", "10.0.0.5", { env: { NETWORK: "north" }, workload: { network: "north" } });
  bed.listen("10.0.0.5:8080", (socket) => void socket.send("near"));
  const key = namespacedHostname("default", "remote.default.svc.cluster.local");
  const { workload } = workloadAt("echo-2", "10.0.0.5", { network: "north", protocol: "HBONE", services: [key] });
  bed.apply({ kind: "workload", workload, endpoints: new Map([[key, new Map()]]) });
  bed.gateway.status = "503";
  const client = bed.call();
  bed.run();
  assert.equal(client.text, "near", bed.client.lines.join("\n"));
  client.duplex.close(true);
});

for (const failure of ["refuses", "answers 503"]) {
  Deno.test(`next endpoint, waypoint: one that ${failure} is replaced by another one`, () => {
    const bed = new Testbed();
    const client = bed.node("client", "10.0.0.1");
    const key = namespacedHostname("default", "waypoint.default.svc");
    const waypoint = {
      kind: "hostname",
      key,
      namespace: "default",
      hostname: "waypoint.default.svc",
      hboneMtlsPort: 15008,
    } as const;
    const web = namespacedHostname("default", "web.default.svc");
    const service = { ...DEFAULT_SERVICE, namespace: "default" };
    bed.apply(
      {
        kind: "service",
        service: { ...service, key, hostname: "waypoint.default.svc", ports: new Map([[15008, 15008]]) },
        endpoints: [],
      },
      {
        kind: "service",
        service: {
          ...service,
          key: web,
          hostname: "web.default.svc",
          vips: [{ network: "", ip: parseIp("10.10.0.1")! }],
          ports: new Map([[80, 8080]]),
          waypoint,
        },
        endpoints: [],
      },
    );
    for (const [i, ip] of ["10.0.0.3", "10.0.0.4"].entries()) {
      const name = `waypoint-${i + 1}`;
      const { workload } = workloadAt(name, ip, { protocol: "HBONE", services: [key] });
      bed.apply({ kind: "workload", workload, endpoints: new Map([[key, new Map()]]) });
      if (i === 0 && failure === "refuses") continue;
      const context = bed.context(`spiffe://cluster.local/ns/default/sa/${name}`);
      rawServer(bed.host(ip), at(`${ip}:15008`), context, {}, (peer) => {
        if (i === 0) peer.answer = (log) => log.stream.respond([[":status", "503"]], true);
      });
    }
    bed.host("10.0.0.3");
    const socket = bed.connect("10.0.0.1", "10.10.0.1:80");
    bed.run();
    assert.equal(socket.fate, "open");
    socket.duplex.close(true);
    bed.run();
    const error = failure === "refuses" ? REFUSED : "http status: 503 Service Unavailable";
    assert.deepEqual(outcomes(client), [`waypoint-1${error}`, "waypoint-2"]);
    const isAvoided = client.plane.state.health!.avoidance(workloadUid("Kubernetes//Pod/default/waypoint-1"), 15008);
    assert.equal(isAvoided !== null, failure === "refuses", "a waypoint that answers works itself");
    bed.assertClean();
  });
}
