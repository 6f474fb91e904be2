import { strict as assert } from "node:assert";
import { parseConfig } from "./parse_config.ts";

const FILES: Record<string, string> = {
  "/etc/resolv.conf": "nameserver 10.0.0.10\n",
  "/proc/sys/net/ipv6/conf/lo/disable_ipv6": "0\n",
};
const PEER = "https://istiod.istio-system.svc:15012";
const GROUPS = "the runtime's TLS offers X25519MLKEM768 and other groups; the server must insist on it";
const MODULE = "the runtime's TLS and keys are made by no FIPS module";
const BROKER = {
  CA_PROVIDER: "spiffe_broker",
  SPIFFE_BROKER_SOCKET: "unix:///run/broker.sock",
  SPIFFE_BROKER_WORKLOAD_API_SOCKET: "unix:///run/agent.sock",
};

const table: readonly [what: string, variables: Record<string, string>, warnings: readonly string[]][] = [
  ["no policy", {}, []],
  ["post-quantum only, by istiod", { COMPLIANCE_POLICY: "pqc" }, [
    `COMPLIANCE_POLICY=pqc does not hold for ${PEER} (XDS_ADDRESS): ${GROUPS}`,
    `COMPLIANCE_POLICY=pqc does not hold for ${PEER} (CA_ADDRESS): ${GROUPS}`,
  ]],
  ["a FIPS module, with SPIRE", { COMPLIANCE_POLICY: "fips-140-3", SPIRE_ENABLED: "true" }, [
    `COMPLIANCE_POLICY=fips-140-3 does not hold for ${PEER} (XDS_ADDRESS): ${MODULE}`,
  ]],
  ["the broker", { COMPLIANCE_POLICY: "fips-140-2", XDS_ADDRESS: "", ...BROKER }, [
    `COMPLIANCE_POLICY=fips-140-2 does not hold for unix:///run/broker.sock (SPIFFE_BROKER_SOCKET): ${MODULE}`,
  ]],
  ["SPIRE and sockets only", {
    COMPLIANCE_POLICY: "pqc",
    XDS_ADDRESS: "unix:///var/run/cilium/xds.sock",
    SPIRE_ENABLED: "true",
  }, []],
  ["another value", { COMPLIANCE_POLICY: "fips" }, [
    "COMPLIANCE_POLICY=fips is not known, so it is ignored; known are pqc, fips-140-2, fips-140-3",
  ]],
];

for (const [what, variables, warnings] of table) {
  Deno.test(`COMPLIANCE_POLICY, identity 6.1 S42: connections that it does not cover get a warning: ${what}`, () => {
    const files = { read: (path: string) => FILES[path] ?? null, exists: (path: string) => path in FILES };
    const environment = { KUBERNETES_SERVICE_HOST: "10.0.0.1", ...variables };
    assert.deepEqual(parseConfig(environment, files, 2).warnings, warnings);
  });
}
