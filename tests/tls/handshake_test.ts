/** Handshakes between two of our ends, with good and bad peers (`docs/spec/identity-spire.md` 6 and 9.8). */
import { strict as assert } from "node:assert";
import * as build from "../../src/identity/certificate_builder.ts";
import { KeyUsage } from "../../src/identity/certificate_extensions.ts";
import { Oid } from "../../src/identity/oids.ts";
import { HOUR } from "../../src/identity/testkit/certificates.ts";
import type { SocketAddress } from "../../src/net/address.ts";
import { FAILED } from "../../src/net/duplex.ts";
import { assertSameBytes, payloadOf, Pump } from "../../src/net/testkit/contract_kit.ts";
import {
  authority,
  client,
  CLIENT_ID,
  type Credential,
  credential,
  type EndOptions,
  now,
  root,
  server,
  SERVER_ID,
  type TlsRig,
  withTls,
} from "./rig.ts";

Deno.test("TLS: after a handshake both ends have the other's path, and bytes arrive", () =>
  withTls(async (rig) => {
    const { listener, outcomes, address } = rig.listen(rig.context(server));
    const ours = await rig.connect(address, rig.context(client));
    await rig.sockets.run(() => outcomes.length > 0);
    const theirs = outcomes[0]!;
    assert.deepEqual(ours.peer?.chain, [server.chain[0], root.certificate]);
    assert.deepEqual(theirs.peer?.chain, [client.chain[0], root.certificate]);
    for (const { peer } of [ours, theirs]) {
      assert.equal(peer?.version, "TLSv1.3");
      assert.equal(peer?.cipher, "TLS_AES_256_GCM_SHA384");
      assert.match(peer?.group ?? "", /x25519/i);
    }
    const left = new Pump(rig.sockets.network, ours.duplex!, payloadOf(100_000, 1));
    const right = new Pump(rig.sockets.network, theirs.duplex!, payloadOf(50, 2));
    await rig.sockets.run(() => left.done && right.done);
    assertSameBytes(left.bytes, right.payload);
    assertSameBytes(right.bytes, left.payload);
    listener.close();
  }));

const intermediate = authority("intermediate", { issuer: root });
const otherRoot = authority("other root");
const bothRoots = { anchors: [root, otherRoot] };

/** Certificates that both ends must accept. */
const good: readonly [what: string, client: Credential, server: Credential, options?: EndOptions][] = [
  ["under an intermediate", under(intermediate, CLIENT_ID), under(intermediate, SERVER_ID)],
  ["dataplane TL-01, identity T1: two roots, both trusted", client, credential(otherRoot, SERVER_ID), bothRoots],
  ["identity T12: the leaf twice", twice(client), twice(server)],
  ["identity T21: neither key usage nor extended key usage", bare(CLIENT_ID), bare(SERVER_ID)],
  ["the root is sent, too", along(client), along(server)],
  ["AES-128 only", client, server, { ciphers: "TLS_AES_128_GCM_SHA256" }],
  ["identity 6.1 floor: P-256 only", client, server, { groups: "P-256" }],
  ["an anchor that is not self-signed", under(intermediate, CLIENT_ID), under(intermediate, SERVER_ID), {
    anchors: [intermediate],
  }],
];

function under(issuer: typeof intermediate, id: string): Credential {
  const leaf = credential(issuer, id);
  return { ...leaf, chain: [...leaf.chain, issuer.certificate] };
}

function twice({ chain, key }: Credential): Credential {
  return { chain: [...chain, ...chain], key };
}

function along({ chain, key }: Credential): Credential {
  return { chain: [...chain, root.certificate], key };
}

function bare(id: string): Credential {
  return credential(root, id, { usage: [] });
}

for (const [what, one, other, options] of good) {
  Deno.test(`TLS, good: ${what}`, () =>
    withTls(async (rig) => {
      await rig.pair(rig.context(one, options), rig.context(other, options));
    }));
}

Deno.test("TLS: the root is not sent, and not searched in each handshake", () =>
  withTls(async (rig) => {
    // An end that trusts only another root records what was sent.
    const { listener, outcomes, address } = rig.listen(rig.context(server));
    let seen: readonly Uint8Array[] = [];
    const anchors = [root, authority("unrelated")];
    await rig.connect(address, rig.context(client, { anchors, accept: (chain) => (seen = chain, null) }));
    assert.equal(seen.length, 2);
    await rig.sockets.run(() => outcomes.length > 0);
    listener.close();
  }));

interface Bad {
  readonly what: string;
  readonly credential: (id: string) => Credential;
  /** Code and text at the end that verifies the certificate. */
  readonly code: string;
  readonly text: RegExp;
  /** The alert at the end with the bad certificate. */
  readonly alert: string;
  readonly options?: EndOptions;
  /** Only when the bad end has this role. */
  readonly only?: "client" | "server";
}

const bad: readonly Bad[] = [
  {
    what: "unknown authority",
    credential: (id) => credential(otherRoot, id),
    code: "TLS_CERTIFICATE",
    text: /unable to get local issuer certificate/,
    alert: "unknown_ca",
  },
  {
    what: "an authority of the same name with another key",
    credential: (id) => credential(authority("root"), id),
    code: "TLS_CERTIFICATE",
    text: /certificate signature failure/,
    alert: "decrypt_error",
  },
  {
    what: "expired",
    credential: (id) => credential(root, id, { notBefore: now - 3 * HOUR, notAfter: now - 1000 }),
    code: "TLS_CERTIFICATE",
    text: /certificate has expired/,
    alert: "certificate_expired",
  },
  {
    what: "not yet valid",
    credential: (id) => credential(root, id, { notBefore: now + HOUR, notAfter: now + 2 * HOUR }),
    code: "TLS_CERTIFICATE",
    text: /certificate is not yet valid/,
    alert: "(bad_certificate|certificate_expired)",
  },
  {
    what: "identity T22: a client's certificate used as server",
    credential: (id) => credential(root, id, { usage: [build.extendedKeyUsage(Oid.CLIENT_AUTH)] }),
    code: "TLS_CERTIFICATE",
    text: /unsuitable certificate purpose|unsupported certificate purpose/,
    alert: "unsupported_certificate",
    only: "server",
  },
  {
    what: "a server's certificate used as client",
    credential: (id) => credential(root, id, { usage: [build.extendedKeyUsage(Oid.SERVER_AUTH)] }),
    code: "TLS_CERTIFICATE",
    text: /unsuitable certificate purpose|unsupported certificate purpose/,
    alert: "unsupported_certificate",
    only: "client",
  },
  {
    what: "X.509 version 1",
    credential: (id) => credential(root, id, { version: 1 }),
    code: "NOT_VERSION_3",
    text: /X\.509 version 1/,
    alert: "bad_certificate",
  },
  {
    what: "a CA as leaf",
    credential: (id) => credential(root, id, { usage: [build.caConstraints(null)] }),
    code: "LEAF_IS_CA",
    text: /CA certificate was used/,
    alert: "bad_certificate",
  },
  {
    what: "a leaf that may sign certificates",
    credential: (id) =>
      credential(root, id, {
        usage: [build.keyUsage(KeyUsage.DIGITAL_SIGNATURE | KeyUsage.KEY_CERT_SIGN), build.leafConstraints()],
      }),
    code: "(TLS_CERTIFICATE|LEAF_SIGNS_CERTIFICATES)",
    text: /purpose|signing certificates/,
    alert: "(bad_certificate|unsupported_certificate)",
  },
  {
    what: "identity T13: two URI names",
    credential: (id) => credential(root, id, { names: [build.uriAltNames(id, `${id}2`)] }),
    code: "SEVERAL_URI_SANS",
    text: /2 URI names/,
    alert: "bad_certificate",
  },
  {
    what: "no name at all",
    credential: (id) => credential(root, id, { names: [] }),
    code: "NO_URI_SAN",
    text: /no URI name/,
    alert: "bad_certificate",
  },
  {
    what: "identity T2: another trust domain",
    credential: () => credential(root, "spiffe://elsewhere/ns/a/sa/b"),
    code: "TRUST_DOMAIN_MISMATCH",
    text: /did not present the expected trustdomain \(td\), got spiffe:\/\/elsewhere/,
    alert: "bad_certificate",
  },
  {
    what: "a missing intermediate",
    credential: (id) => credential(intermediate, id),
    code: "TLS_CERTIFICATE",
    text: /unable to get local issuer certificate/,
    alert: "unknown_ca",
  },
];

for (const { what, credential: make, code, text, alert, only } of bad) {
  if (only !== "server") {
    Deno.test(`TLS, bad client: ${what}`, () => withTls((rig) => badClient(rig, make(CLIENT_ID), code, text, alert)));
  }
  if (only !== "client") {
    Deno.test(`TLS, bad server: ${what}`, () => withTls((rig) => badServer(rig, make(SERVER_ID), code, text, alert)));
  }
}

/** In TLS 1.3 the handshake of the client has succeeded by then: its first read reports the refusal. */
async function badClient(rig: TlsRig, its: Credential, code: string, text: RegExp, alert: string): Promise<void> {
  const { listener, outcomes, address } = rig.listen(rig.context(server));
  const outcome = await rig.connect(address, rig.context(its));
  assert.ok(outcome.duplex !== undefined, JSON.stringify(outcome.ending));
  const reader = new Pump(rig.sockets.network, outcome.duplex, payloadOf(1000, 1), { end: false });
  await rig.sockets.run(() => reader.failure !== null && outcomes.length > 0);
  const theirs = outcomes[0]!.ending!;
  assert.match(theirs.code, new RegExp(`^${code}$`));
  assert.match(theirs.message, text);
  assert.equal(theirs.by, "us");
  assert.equal(reader.failure?.code, "TLS_ALERT");
  assert.match(reader.failure!.message, new RegExp(`^the peer sent TLS alert ${alert}$`));
  assert.equal(reader.failure!.by, "peer");
  assert.equal(outcome.duplex.write(Uint8Array.of(1)), FAILED);
  await goesOn(rig, listener.local);
  listener.close();
}

async function badServer(rig: TlsRig, its: Credential, code: string, text: RegExp, alert: string): Promise<void> {
  const { listener, outcomes, address } = rig.listen(rig.context(its));
  const { ending } = await rig.connect(address, rig.context(client));
  await rig.sockets.run(() => outcomes.length > 0);
  assert.match(ending?.code ?? "", new RegExp(`^${code}$`));
  assert.match(ending!.message, text);
  assert.equal(outcomes[0]!.ending?.code, "TLS_ALERT");
  assert.match(outcomes[0]!.ending!.message, new RegExp(`^the peer sent TLS alert ${alert}$`));
  listener.close();
}

/** Checks that the listener still serves good clients. */
async function goesOn(rig: TlsRig, address: SocketAddress): Promise<void> {
  const { duplex, ending } = await rig.connect(address, rig.context(client));
  assert.ok(duplex !== undefined, JSON.stringify(ending));
  duplex.close();
}
