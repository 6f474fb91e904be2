/** Which calls use double HBONE: by a waypoint or an endpoint elsewhere, by SOCKS5, by an alias of the trust domain. */
import { strict as assert } from "node:assert";
import { rawServer } from "../hbone/testkit/peer.ts";
import { DEFAULT_SERVICE } from "../mesh/model/defaults.ts";
import { namespacedHostname, type Service, workloadUid } from "../mesh/model/model.ts";
import { parseIp } from "../net/address.ts";
import { at, workloadAt } from "../dataplane/testkit/testbed.ts";
import {
  AUTHORITY,
  CLIENT,
  GATEWAY,
  remoteService,
  SERVER,
  SERVER_ID,
  TwoNetworks,
  VIP,
} from "../dataplane/testkit/gateway.ts";

const WAYPOINT_ID = "spiffe://cluster.local/ns/default/sa/waypoint";

for (
  const [what, sans, accepted] of [["its own", [WAYPOINT_ID], true], ["the service's", [SERVER_ID], false]] as const
) {
  Deno.test(`dataplane OB-05, xds X179: the waypoint is behind the gateway, and has ${what} SANs`, () => {
    const key = namespacedHostname("default", "waypoint.com");
    const waypoint = {
      kind: "hostname",
      key,
      namespace: "default",
      hostname: "waypoint.com",
      hboneMtlsPort: 15008,
    } as const;
    const bed = new TwoNetworks({ withoutServer: true, service: { waypoint } });
    const gateway = { kind: "address", network: "south", ip: parseIp(GATEWAY)!, hboneMtlsPort: 15008 } as const;
    bed.apply(workloadAt("wp", "10.1.0.3", { network: "south", networkGateway: gateway, workloadIps: [] }));
    const service: Service = {
      ...DEFAULT_SERVICE,
      key,
      namespace: "default",
      hostname: "waypoint.com",
      ports: new Map([[15008, 15008]]),
      subjectAltNames: sans,
    };
    const wp = workloadUid("Kubernetes//Pod/default/wp");
    bed.apply({ kind: "service", service, endpoints: [{ workloadUid: wp, ports: new Map(), status: "Healthy" }] });
    const { peers } = rawServer(bed.host(SERVER), at(`${SERVER}:15008`), bed.context(WAYPOINT_ID));
    const client = bed.call();
    bed.run();
    if (accepted) {
      assert.deepEqual(peers[0]!.requests[0]![1], [":authority", AUTHORITY]);
      client.reset();
      bed.run();
    } else {
      assert.match(
        bed.client.accessLine,
        new RegExp(`expected SAN \\(${SERVER_ID}\\), got ${WAYPOINT_ID} \\(inner tunnel\\)"$`),
      );
    }
    bed.assertClean();
  });
}

Deno.test("dataplane OB-06, OB-07: the other network is used where no endpoint of this one is healthy", () => {
  const bed = new TwoNetworks();
  const near = bed.node("near", "10.0.0.3", { env: { NETWORK: "north" }, workload: { network: "north" } });
  bed.listen("10.0.0.3:8080", (app) => void app.send("near").end());
  const loadBalancer = { mode: "Failover", routingPreferences: ["Network"], healthPolicy: "OnlyHealthy" } as const;
  const endpoint = (name: string, status: "Healthy" | "Unhealthy") => ({
    workloadUid: workloadUid(`Kubernetes//Pod/default/${name}`),
    ports: new Map(),
    status,
  });
  const call = (status: "Healthy" | "Unhealthy") => {
    const endpoints = [endpoint("near", status), endpoint("echo", "Healthy")];
    bed.apply({ kind: "service", service: remoteService({ loadBalancer }), endpoints });
    const client = bed.call();
    client.send("far").end();
    bed.run();
    return client.text;
  };
  assert.equal(call("Healthy"), "near");
  assert.equal(call("Unhealthy"), "far");
  assert.equal(near.access.length, 1);
  assert.equal(bed.server!.access.length, 1);
  bed.client.drain();
  bed.advance(100);
  bed.assertClean();
});

Deno.test("dataplane 6: a SOCKS5 client that sends everything in one flight reaches the other network", () => {
  const bed = new TwoNetworks({ client: { env: { UNSTABLE_ENABLE_SOCKS5: "true" } } });
  const socket = bed.connect(CLIENT, "127.0.0.1:15080");
  const { ip, port } = at(`${VIP}:8080`);
  const request = [5, 1, 0, 5, 1, 0, 1, ...ip.split(".").map(Number), port >> 8, port & 255];
  socket.send(Uint8Array.from([...request, ...new TextEncoder().encode("early")])).end();
  bed.run();
  assert.equal(socket.text.slice(-5), "early");
  assert.equal(socket.fate, "fin");
  assert.match(bed.client.accessLine, new RegExp(`dst\\.hbone_addr=${AUTHORITY} .* dst\\.identity="${SERVER_ID}"`));
  bed.assertClean();
});

Deno.test("TRUST_DOMAIN_ALIASES apply behind the gateway too", () => {
  const bed = new TwoNetworks({
    client: { env: { TRUST_DOMAIN_ALIASES: "old.local" } },
    withoutServer: true,
  });
  const { peers } = rawServer(
    bed.host(SERVER),
    at(`${SERVER}:15008`),
    bed.context("spiffe://old.local/ns/default/sa/echo"),
  );
  const client = bed.call();
  bed.run();
  assert.equal(peers[0]?.requests.length, 1, bed.client.lines.join("\n"));
  client.reset();
  bed.run();
  bed.assertClean();
});
