import { strict as assert } from "node:assert";
import { DEFAULT_WORKLOAD } from "../mesh/defaults.ts";
import type { Workload } from "../mesh/model.ts";
import { type Ip, parseIp } from "../net/address.ts";
import { MemoryNetwork } from "../net/memory_network.ts";
import { ListenError, type Network, type UdpAt } from "../net/network.ts";
import { testLog } from "../telemetry/testing.ts";
import { addressDoubt } from "./pods_guard.ts";

/** A network whose namespace 7 has these addresses. */
function bed(...addresses: string[]) {
  const own = new Set<Ip>(addresses.map((text) => parseIp(text)!));
  const asked: string[] = [];
  let open = 0;
  const network: Pick<Network, "udp"> = {
    udp(at: UdpAt) {
      assert.equal(at.namespace, 7);
      asked.push(at.address.ip);
      if (!own.has(at.address.ip)) throw new ListenError("no", "EADDRNOTAVAIL", at.address);
      open++;
      const inspect = () => ({ listening: true, namespace: null });
      return { local: at.address, send: () => false, retire() {}, close: () => void open--, inspect };
    },
  };
  const log = testLog();
  const doubt = addressDoubt(Object.assign(new MemoryNetwork(), network), 7, log.log.scope("ztunnel::proxy"));
  const lines = () => log.lines().map((line) => line.split("\t").slice(1).join(" ").trimEnd());
  return { own, asked, doubt, lines, open: () => open };
}

function workload(words: Partial<Workload>, ...ips: string[]): Workload {
  return { ...DEFAULT_WORKLOAD, name: "a", workloadIps: ips.map((text) => parseIp(text)!), ...words };
}

Deno.test("one of the workload's addresses is enough, and is asked for once", () => {
  const { doubt, asked, lines, open } = bed("fd00::1");
  const both = workload({}, "10.0.0.1", "fd00::1");
  assert.equal(doubt(both), null);
  assert.equal(doubt({ ...both, canonicalName: "other" }), null);
  assert.deepEqual(asked, ["10.0.0.1", "fd00::1"]);
  assert.deepEqual(lines(), []);
  assert.equal(open(), 0);
});

Deno.test("none of them: told once, and once more when it has one", () => {
  const { doubt, own, lines } = bed("10.0.0.9");
  const reason = "its network namespace has none of the workload's addresses (10.0.0.1)";
  assert.equal(doubt(workload({}, "10.0.0.1")), reason);
  assert.equal(doubt(workload({}, "10.0.0.1")), reason);
  own.add(parseIp("10.0.0.1")!);
  assert.equal(doubt(workload({}, "10.0.0.1")), null);
  assert.deepEqual(lines(), [
    `warn proxy nothing is served for this pod yet: ${reason}; ` +
    "either it was handed over as another pod, or the mesh is behind",
    "info proxy the pod's network namespace has an address of its workload now: 10.0.0.1",
  ]);
});

Deno.test("a workload that moves to another address is looked at again", () => {
  const { doubt } = bed("10.0.0.1");
  assert.equal(doubt(workload({}, "10.0.0.1")), null);
  assert.notEqual(doubt(workload({}, "10.0.0.2")), null);
  assert.equal(doubt(workload({}, "10.0.0.1")), null);
});

Deno.test("no doubt where there is nothing to look for", () => {
  const { doubt, asked } = bed();
  assert.equal(doubt(workload({ networkMode: "HostNetwork" }, "10.0.0.1")), null);
  assert.equal(doubt(workload({ hostname: "db.example" })), null);
  assert.deepEqual(asked, []);
});
