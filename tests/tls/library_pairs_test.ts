/** Both ends of a connection with different TLS libraries, and with records of ours or of the library. */
import { strict as assert } from "node:assert";
import { plan } from "../../lab/needs.ts";
import { payloadOf, Pump } from "../../src/net/testkit/contract_kit.ts";
import { anyOpenSsl, awsLc, boringSsl, type TestedLibrary } from "../../testkit/tls_libraries.ts";
import { client, server, TlsRig, withTls } from "./rig.ts";

/** A library that does not show its secrets, so that it protects the records itself. */
function closed(tested: TestedLibrary): TestedLibrary {
  return "lack" in tested ? tested : { library: { ...tested.library, showsSecrets: () => false } };
}

const openSsl: TestedLibrary = { library: anyOpenSsl() }, amazon = awsLc();
const ends: readonly (readonly [what: string, tested: TestedLibrary])[] = [
  ["OpenSSL with our records", openSsl],
  ["OpenSSL", closed(openSsl)],
  ["AWS-LC with our records", amazon],
  ["AWS-LC", closed(amazon)],
];
/** It cannot choose a cipher suite, so the other end does. */
const boring = boringSsl();
const ciphers = ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"];

for (const [what, end] of ends) {
  for (const [otherWhat, other] of ends) test(`${what}, ${otherWhat}`, end, other);
  test(`${what}, BoringSSL`, end, boring);
  test(`BoringSSL, ${what}`, boring, end);
}

function test(what: string, near: TestedLibrary, far: TestedLibrary): void {
  const run = async () => {
    if (!("library" in near) || !("library" in far)) return;
    for (const suite of ciphers) {
      await withTls(async (rig) => {
        // Its contexts are used on the other rig's loop.
        await using other = new TlsRig(far.library);
        const ends = await rig.pair(rig.context(client, { ciphers: suite }), other.context(server, { ciphers: suite }));
        const left = new Pump(rig.sockets.network, ends.client, payloadOf(3_000_000, 1));
        const right = new Pump(rig.sockets.network, ends.server, payloadOf(2_000_000, 2), { writeSize: 70_000 });
        await rig.sockets.run(() => left.done && right.done);
        assert.deepEqual([left.receivedBytes, right.receivedBytes], [2_000_000, 3_000_000]);
        assert.deepEqual([left.failure, right.failure], [null, null]);
        rig.closeStreams();
        // Sessions end before the context of the other rig is freed.
        await new Promise<void>((resolve) => rig.sockets.network.after(5, resolve));
      }, near.library);
    }
  };
  const missing = [near, far].flatMap((end) => "lack" in end ? [end.lack] : []);
  Deno.test(plan(missing, `TLS records, client and server: ${what}`, run, Deno.env.get("CI") === "true"));
}
