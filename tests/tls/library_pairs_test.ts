/** Both ends of a connection with different TLS libraries: records of ours, of OpenSSL and of BoringSSL. */
import { strict as assert } from "node:assert";
import { plan } from "../../lab/needs.ts";
import { payloadOf, Pump } from "../../src/net/testkit/contract_kit.ts";
import { openTlsLibrary } from "../../src/os/open_tls_library.ts";
import type { TlsLibrary } from "../../src/os/tls_library.ts";
import { client, library, server, TlsRig, withTls } from "./rig.ts";

const missing = [{ reason: "BoringSSL is missing", cure: "apt-get install android-libboringssl", duty: true }];
const boringssl = open(`/usr/lib/${Deno.build.arch}-linux-gnu/android/libssl.so.0`);

function open(path: string): TlsLibrary | null {
  try {
    return openTlsLibrary(path);
  } catch {
    return null;
  }
}

/** A library that does not show its secrets, so that it protects the records itself. */
const closed: TlsLibrary = { ...library, showsSecrets: () => false };

const pairs: readonly [what: string, client: TlsLibrary | null, server: TlsLibrary | null][] = [
  ["ours and ours", library, library],
  ["ours and OpenSSL's", library, closed],
  ["OpenSSL's and ours", closed, library],
  ["ours and BoringSSL's", library, boringssl],
  ["BoringSSL's and ours", boringssl, library],
];
const ciphers = ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"];

for (const [what, near, far] of pairs) {
  const run = async () => {
    for (const suite of ciphers) {
      await withTls(async (rig) => {
        // Its contexts are used on the other rig's loop.
        await using other = new TlsRig(far!);
        const ends = await rig.pair(rig.context(client, { ciphers: suite }), other.context(server, { ciphers: suite }));
        const left = new Pump(rig.sockets.network, ends.client, payloadOf(3_000_000, 1));
        const right = new Pump(rig.sockets.network, ends.server, payloadOf(2_000_000, 2), { writeSize: 70_000 });
        await rig.sockets.run(() => left.done && right.done);
        assert.deepEqual([left.receivedBytes, right.receivedBytes], [2_000_000, 3_000_000]);
        assert.deepEqual([left.failure, right.failure], [null, null]);
        rig.closeStreams();
        // Sessions end before the context of the other rig is freed.
        await new Promise<void>((resolve) => rig.sockets.network.after(5, resolve));
      }, near!);
    }
  };
  const lacks = near === null || far === null ? missing : [];
  Deno.test(plan(lacks, `TLS records, client and server: ${what}`, run, Deno.env.get("CI") === "true"));
}
