/** A scripted Istio CA for tests with two nodes: it runs in the test's process, its port is outside of the mesh. */
import { issueFor, pem, ScriptedCa, WORKLOAD_ROOT } from "../src/authorities/testkit/istio_ca.ts";
import { ROOT_PEM } from "../src/grpc/testkit/server.ts";
import type { Cluster } from "../lab/bed/cluster.ts";
import { Proxy } from "../lab/proxy.ts";

/** Passes connections from the port to the CA's Unix socket. */
export const RELAY = "tests/fixtures/unix_relay.ts";
const PORT = 15012;
/** The name in the server's certificate. */
const NAME = "localhost";
/** Short, since all clocks are the same: a proxy renews certificates that are dated back further too often (observed O10). */
const BACKDATED_MS = 1000;

/** Starts a CA that issues every requested certificate, until the cluster ends. */
export async function serveCa(cluster: Cluster): Promise<ScriptedCa> {
  const path = `${cluster.folder}/ca.sock`;
  const ca = cluster.use(await ScriptedCa.start(undefined, { path }));
  ca.respond = (
    call,
  ) => [pem(issueFor(call, { notBefore: Date.now() - BACKDATED_MS })), pem(WORKLOAD_ROOT.certificate)];
  const { namespace, ip } = cluster.outside;
  const relay = cluster.use(Proxy.fixture(RELAY, [ip, `${PORT}`, path], namespace.name));
  await relay.line(/listening/);
  return ca;
}

/** Environment variables of a proxy that uses this CA. */
export function caSettings({ folder, outside }: Cluster): Record<string, string> {
  const root = `${folder}/ca-root.pem`;
  Deno.writeTextFileSync(root, ROOT_PEM);
  return {
    FAKE_CA: "false",
    CA_ADDRESS: `https://${outside.ip}:${PORT}`,
    CA_ROOT_CA: root,
    ALT_CA_HOSTNAME: NAME,
    AUTH_TOKEN: "the-token-of-the-node",
  };
}
