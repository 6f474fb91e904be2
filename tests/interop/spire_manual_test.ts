/** Follows the instructions of docs/spire.md for SPIRE. */
import { strict as assert } from "node:assert";
import { SETTINGS } from "../../src/config/catalogue/settings.ts";
import { workloadId } from "../../src/identity/spiffe_id.ts";
import { ScriptedRuntime } from "../../testkit/spire/cri.ts";
import { RealSpire, testWithSpire } from "../../testkit/spire/real.ts";
import { bySelectors, client, served } from "../../testkit/spire/real_client.ts";
import { Program } from "../../lab/program.ts";
import { tempDir } from "../../lab/temp_dir.ts";

const MANUAL = new URL("../../docs/spire.md", import.meta.url);
const ENTRIES = new URL("../../deploy/spire/entries.sh", import.meta.url).pathname;

/** The commands that deploy/spire/entries.sh would run. */
async function entriesOf(...args: readonly string[]): Promise<string[]> {
  await using script = new Program(ENTRIES, { args, env: { SPIRE_SERVER: "echo spire-server" } });
  const { code, output } = await script.ended();
  assert.equal(code, 0, output);
  return output.trim().split("\n");
}

testWithSpire({}, "SPIRE: the registration entries of the manual work", async () => {
  const text = await Deno.readTextFile(MANUAL);
  const commands = text.match(/^spire-server entry create .*$/gm) ?? [];
  assert.equal(commands.length, 3);
  await using spire = await RealSpire.start();
  for (const command of commands) await spire.operate(command);
  using proxy = bySelectors(spire);
  const cart = { id: workloadId("cluster.local", "shop", "cart")!, workloadUid: null };
  assert.equal((await served(proxy, cart)).id, cart.id);

  using folder = tempDir("cri-");
  await using runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
  using byPod = client(spire, { SPIRE_ATTESTATION: "pod_selectors", CONTAINER_RUNTIME_SOCK_PATH: runtime.path });
  const uid = crypto.randomUUID();
  byPod.pods.set(uid, { uid, namespace: "shop", name: "stock-0", networkNamespace: null });
  const stock = { id: workloadId("cluster.local", "shop", "stock")!, workloadUid: uid };
  assert.equal((await served(byPod, stock)).id, stock.id);
});

testWithSpire(
  {},
  "SPIRE: the entries of deploy/spire/entries.sh work, with Cilium below that of the proxy",
  async () => {
    await using spire = await RealSpire.start();
    for (const command of await entriesOf("istio", "shop/cart")) await spire.operate(command);
    for (const command of await entriesOf("cilium")) await spire.operate(command);
    // As Cilium's operator does for each service account.
    await spire.operate(
      "spire-server entry create -parentID spiffe://cluster.local/ztunnel -spiffeID spiffe://cluster.local/ns/shop/sa/stock" +
        " -selector k8s:ns:shop -selector k8s:sa:stock",
    );
    using proxy = bySelectors(spire);
    for (const account of ["cart", "stock"]) {
      const workload = { id: workloadId("cluster.local", "shop", account)!, workloadUid: null };
      assert.equal((await served(proxy, workload)).id, workload.id);
    }
  },
);

Deno.test("SPIRE: the settings that the manual names are those of the proxy", async () => {
  const text = await Deno.readTextFile(MANUAL);
  for (const name of new Set(text.match(/\b(?:SPIRE|SPIFFE|CONTAINER_RUNTIME|CA)_[A-Z_]+/g))) {
    assert.ok(name in SETTINGS, name);
  }
});
