/** The cache of verified paths accepts no peer that would be refused without it. */
import { strict as assert } from "node:assert";
import * as build from "../../src/identity/certificate_builder.ts";
import { parseRevocationList, type RevocationList } from "../../src/identity/crl.ts";
import { Oid } from "../../src/identity/oids.ts";
import { Revocation } from "../../src/identity/revocation.ts";
import { crlSigner, makeCrl } from "../../src/identity/testkit/certificates.ts";
import type { SocketAddress } from "../../src/net/address.ts";
import type { TlsContext } from "../../src/net/tls_context.ts";
import { authority, client, CLIENT_ID, credential, root, server, SERVER_ID, type TlsRig, withTls } from "./rig.ts";

/** Connects one more client. Returns the result at the listener. */
async function verdict(rig: TlsRig, of: TlsContext, by: TlsContext): Promise<string> {
  const { listener, outcomes, address } = rig.listen(by);
  const { duplex } = await rig.connect(address, of);
  await rig.sockets.run(() => outcomes.length > 0);
  listener.close();
  duplex?.close(true);
  return outcomes[0]!.ending?.message ?? "accepted";
}

async function ofServer(rig: TlsRig, address: SocketAddress, by: TlsContext): Promise<string> {
  return (await rig.connect(address, by)).ending?.message ?? "accepted";
}

Deno.test("TLS: a peer that was accepted is accepted again, with the same path", () =>
  withTls(async (rig) => {
    const paths: (readonly Uint8Array[])[] = [];
    const accept = (chain: readonly Uint8Array[]) => (paths.push(chain), null);
    const by = rig.context(server, { accept }), of = rig.context(client);
    for (let i = 0; i < 3; i++) assert.equal(await verdict(rig, of, by), "accepted");
    for (const path of paths) assert.deepEqual(path, [client.chain[0], root.certificate]);
    assert.equal(paths.length, 3, "accept is called each time");
  }));

Deno.test("TLS: a path that one context has accepted is not used by another, with other anchors", () =>
  withTls(async (rig) => {
    const of = rig.context(client);
    assert.equal(await verdict(rig, of, rig.context(server)), "accepted");
    const elsewhere = rig.context(server, { anchors: [authority("other")] });
    assert.match(await verdict(rig, of, elsewhere), /unable to get local issuer certificate/);
  }));

Deno.test("TLS: a peer that was refused is refused again", () =>
  withTls(async (rig) => {
    const of = rig.context(credential(authority("other"), CLIENT_ID)), by = rig.context(server);
    for (let i = 0; i < 2; i++) assert.match(await verdict(rig, of, by), /unable to get local issuer certificate/);
  }));

Deno.test("TLS: a certificate that was accepted of a client is not accepted of a server", () =>
  withTls(async (rig) => {
    const usage = [build.extendedKeyUsage(Oid.CLIENT_AUTH)];
    const its = rig.context(credential(root, SERVER_ID, { usage })), ours = rig.context(client);
    assert.equal(await verdict(rig, its, ours), "accepted");
    const { listener, address } = rig.listen(its);
    assert.match(await ofServer(rig, address, ours), /certificate purpose|unsupported/);
    listener.close();
  }));

Deno.test("TLS: an incomplete chain is refused, also after a complete one was accepted", () =>
  withTls(async (rig) => {
    const intermediate = authority("intermediate", { issuer: root });
    const { chain, key } = credential(intermediate, CLIENT_ID);
    const by = rig.context(server);
    const whole = rig.context({ chain: [...chain, intermediate.certificate], key });
    assert.equal(await verdict(rig, whole, by), "accepted");
    assert.match(await verdict(rig, rig.context({ chain, key }), by), /unable to get local issuer certificate/);
    assert.equal(await verdict(rig, whole, by), "accepted");
  }));

Deno.test("TLS, identity S36 L24, dataplane TL-12: unrelated certificates of a peer are in no path, and do not disable revocation", () =>
  withTls(async (rig) => {
    const intermediate = authority("intermediate", { issuer: root, extensions: crlSigner() });
    const { chain: [leaf], key } = credential(intermediate, CLIENT_ID, { serial: Uint8Array.of(7) });
    const junk = authority("junk").certificate;
    const chain = [leaf!, junk, intermediate.certificate];
    const ended: string[] = [];
    const revocation = new Revocation(rig.sockets.network, { rejected() {}, untracked: () => assert.fail() });
    revocation.replace([]);
    const accept = (path: readonly Uint8Array[]) => {
      assert.deepEqual(path, [leaf, intermediate.certificate, root.certificate]);
      revocation.watch(path, "client", () => ended.push("client"));
      return null;
    };
    assert.equal(await verdict(rig, rig.context({ chain, key }), rig.context(server, { accept })), "accepted");
    revocation.replace([parseRevocationList(makeCrl(intermediate, [Uint8Array.of(7)])) as RevocationList]);
    assert.deepEqual(ended, ["client"]);
  }));
