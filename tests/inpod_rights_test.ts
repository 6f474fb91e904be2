/** What shared mode needs of the kernel: capabilities, and the namespace of a listener. */
import { strict as assert } from "node:assert";
import { inspectNamespace } from "../src/net/namespace_state.ts";
import { ReactorRig } from "../src/net/testkit/reactor.ts";
import { openNamespace } from "../src/os/namespace.ts";
import { OwnedDescriptor } from "../src/os/owned_descriptor.ts";
import { makeNamespace } from "../lab/namespace.ts";
import { testNeeding } from "../lab/needs.ts";
import { Proxy } from "../lab/proxy.ts";
import { tempDir } from "../lab/temp_dir.ts";

const REFUSALS: readonly (readonly [string, RegExp])[] = [
  ["-sys_admin", /^Error: failed to set netns: .*; shared mode needs CAP_SYS_ADMIN$/m],
  [
    "-net_admin,-net_raw",
    /^Error: failed to set socket mark: failed to set mark on socket\. make sure ztunnel has CAP_NET_RAW, CAP_NET_ADMIN\./m,
  ],
];
for (const [capabilities, text] of REFUSALS) {
  testNeeding(
    { namespaces: true, packages: ["setpriv"] },
    `inpod A1.15: without the capability (${capabilities}) it does not start, and says which is missing`,
    async () => {
      using folder = tempDir();
      await using namespace = await makeNamespace("rights");
      await using proxy = new Proxy({
        INPOD_UDS: `${folder.path}/zds.sock`,
        XDS_ADDRESS: "",
        LOCAL_XDS: "{}",
        FAKE_CA: "true",
        ISTIO_META_DNS_CAPTURE: "false",
      }, { namespace: namespace.name, before: ["setpriv", `--bounding-set=${capabilities}`] });
      const { code, output } = await proxy.ended();
      assert.equal(code, 1, output);
      assert.match(output, text);
    },
  );
}

testNeeding(
  { namespaces: true },
  "audit: listeners and datagram sockets report the namespace that they belong to",
  async () => {
    await using rig = new ReactorRig();
    await using one = await makeNamespace("one");
    await using other = await makeNamespace("other");
    using first = new OwnedDescriptor(openNamespace(one.path));
    using second = new OwnedDescriptor(openNamespace(other.path));
    const listen = (namespace: number) =>
      rig.network.listen({ address: { ip: rig.loopback, port: 0 }, namespace }, () => {});
    const receive = (namespace: number) =>
      rig.network.udp({ address: { ip: rig.loopback, port: 0 }, namespace }, { onDatagram() {} });
    const homes = [first.fd, second.fd];
    const states = homes.map((home) => inspectNamespace(home));
    assert.notEqual(states[0]!.cookie, null);
    assert.notEqual(states[0]!.cookie, states[1]!.cookie);
    assert.notEqual(states[0]!.identity, states[1]!.identity);
    for (const [index, home] of homes.entries()) {
      for (const socket of [listen(home), receive(home)]) {
        assert.deepEqual(socket.inspect(), { listening: true, namespace: states[index]!.cookie });
        socket.close();
        assert.deepEqual(socket.inspect(), { listening: false, namespace: null });
      }
    }
    using file = new OwnedDescriptor(openNamespace("/etc/hostname"));
    assert.equal(inspectNamespace(file.fd), null);
    const gone = openNamespace(one.path);
    new OwnedDescriptor(gone).close();
    assert.equal(inspectNamespace(gone), null);
  },
);
