import { strict as assert } from "node:assert";
import { configOf, lines, machine } from "../testkit/machine.ts";
import type { Machine } from "./machine.ts";
import { inodesAt } from "./port_owner.ts";
import { checkPorts } from "./ports.ts";

const DEDICATED = configOf({
  PROXY_MODE: "dedicated",
  PROXY_WORKLOAD_INFO: "a/b/c",
  BIND_ADDRESS: "10.0.0.1",
  INBOUND_PORT: "0",
});

/** The problem `code` at one port, of one protocol. */
function taken(port: number, code = "EADDRINUSE", protocol = "tcp"): Pick<Machine, "bindProblem"> {
  return {
    bindProblem: (address, of) => address.port === port && of === protocol ? { code, text: `text of ${code}` } : null,
  };
}

Deno.test("check: ports that are free, for DNS of both protocols; port 0 needs none", () => {
  assert.deepEqual(lines(checkPorts(DEDICATED, machine())), [
    "ok port: free: 10.0.0.1:15006, 10.0.0.1:15001, 127.0.0.1:15000, [::1]:15000, 10.0.0.1:15020, 10.0.0.1:15021, " +
    "127.0.0.1:15053, 127.0.0.1:15053/udp",
  ]);
});

Deno.test("check: shared mode needs only the ports of the process itself", () => {
  assert.deepEqual(lines(checkPorts(configOf({}), machine())), [
    "ok port: free: 127.0.0.1:15000, [::1]:15000, 0.0.0.0:15020, 0.0.0.0:15021",
  ]);
});

Deno.test("check: a taken port is reported with the program that has it and the setting", () => {
  const facts = machine({ ...taken(15020), portOwner: () => ({ pid: 12, name: "nginx", isProxy: false }) });
  assert.deepEqual(
    lines(checkPorts(DEDICATED, facts))[0],
    "problem port: 10.0.0.1:15020: text of EADDRINUSE, by nginx (process 12); cure: end the program that has it " +
      "(ss -ltnup), or set STATS_PORT",
  );
  const unknown = lines(checkPorts(DEDICATED, machine(taken(15053, "EADDRINUSE", "udp"))))[0]!;
  assert.match(unknown, /^problem port: 127\.0\.0\.1:15053\/udp: text of EADDRINUSE; .*ISTIO_META_DNS_PROXY_ADDR$/);
});

Deno.test("check: ports of a proxy that is already running are no problem", () => {
  const facts = machine({ ...taken(15020), portOwner: () => ({ pid: 12, name: "deno", isProxy: true }) });
  assert.deepEqual(lines(checkPorts(DEDICATED, facts)).map((line) => line.split(": ").slice(0, 3)).at(-1), [
    "ok port",
    "in use by the proxy that is already running (process 12)",
    "10.0.0.1:15020",
  ]);
});

Deno.test("check: a machine without IPv6 needs no ::1", () => {
  const facts = machine({
    bindProblem: ({ ip }) => ip === "::1" ? { code: "EADDRNOTAVAIL", text: "Cannot assign requested address" } : null,
  });
  assert.deepEqual(checkPorts(DEDICATED, facts).map(({ state }) => state), ["ok"]);
});

for (const [code, cure] of [["EACCES", /CAP_NET_BIND_SERVICE/], ["EADDRNOTAVAIL", /BIND_ADDRESS/]] as const) {
  Deno.test(`check: a port that fails with ${code} has its cure`, () => {
    assert.match(checkPorts(DEDICATED, machine(taken(15020, code)))[0]!.cure!, cure);
  });
}

Deno.test("check: the sockets of a port are found in the kernel's tables", () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:3A98 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1 0 100 0 0 10 0
   1: 0100007F:3A98 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1235 1 0 100 0 0 10 0
   2: 00000000:3A99 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1236 1 0 100 0 0 10 0
`;
  assert.deepEqual([inodesAt(15000, table), inodesAt(1, table), inodesAt(1, "")], [["1234"], [], []]);
});
