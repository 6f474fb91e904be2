import { strict as assert } from "node:assert";
import { ownPorts } from "./own_ports.ts";
import { parseConfig } from "./parse_config.ts";

function portsOf(variables: Record<string, string>): number[] {
  const read = (path: string) => path === "/etc/resolv.conf" ? "nameserver 10.0.0.10\n" : null;
  return ownPorts(parseConfig(variables, { read, exists: () => false }, 1));
}

Deno.test("own ports: in shared mode those of the listeners, without ports that the kernel chooses", () => {
  assert.deepEqual(portsOf({}), [15008, 15001, 15006]);
  assert.deepEqual(portsOf({ INBOUND_PORT: "0", UNSTABLE_ENABLE_SOCKS5: "true" }), [15001, 15006, 15080]);
});

Deno.test("observed O35: own ports in dedicated mode include those of the servers", () => {
  const dedicated = { PROXY_MODE: "dedicated", PROXY_WORKLOAD_INFO: "ns/pod/account", ADMIN_PORT: "25000" };
  assert.deepEqual(portsOf(dedicated), [15008, 15001, 15006, 25000, 15020, 15021, 15053]);
});
