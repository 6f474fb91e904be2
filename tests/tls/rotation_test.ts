/**
 * Certificates and roots change between handshakes of two data planes, with their credential stores, over sockets
 * (`docs/spec/identity-spire.md` T1, T14, 6.2).
 */
import { strict as assert } from "node:assert";
import { CredentialStore } from "../../src/dataplane/credential_store.ts";
import type { Credential } from "../../src/hbone/credentials.ts";
import type { IssuedCertificate } from "../../src/identity/authority.ts";
import { checkIssued } from "../../src/identity/check_issued.ts";
import { KnownPeers } from "../../src/identity/known_peers.ts";
import { isRefusal } from "../../src/identity/peer_chain.ts";
import { Revocation } from "../../src/identity/revocation.ts";
import { parseSpiffeId, type SpiffeId } from "../../src/identity/spiffe_id.ts";
import { type Issuer, makeLeaf, newKey } from "../../src/identity/testkit/certificates.ts";
import { tlsPolicy } from "../../src/identity/tls_policy.ts";
import { bundlesForAnyDomain } from "../../src/identity/trust_bundles.ts";
import type { PeerExpectation } from "../../src/identity/verify_peer.ts";
import { LOOPBACK_V4 } from "../../src/net/address.ts";
import type { Duplex, Ending } from "../../src/net/duplex.ts";
import type { TlsPeer } from "../../src/net/tls_context.ts";
import { TlsEngine } from "../../src/net/tls_engine.ts";
import { authority, CLIENT_ID, library, now, SERVER_ID, type TlsRig, TRUST_DOMAIN, VALID, withTls } from "./rig.ts";

const BOTH_ROLES = { kind: "trust-domain", trustDomain: TRUST_DOMAIN } as const;
const old = authority("old root"), next = authority("new root");

/** The parts of a data plane that handshakes use. */
class Node {
  readonly #rig: TlsRig;
  readonly #engine = new TlsEngine(library, tlsPolicy({ tls12: false, postQuantumOnly: false, fips: false }));
  readonly #store: CredentialStore;
  readonly #peers: KnownPeers;
  readonly #id: SpiffeId;
  #issuer = old;
  #anchors: readonly Issuer[] = [old];

  constructor(rig: TlsRig, id: string) {
    this.#rig = rig;
    this.#id = parseSpiffeId(id)!;
    this.#peers = new KnownPeers(new Revocation(rig.sockets.network, { rejected() {}, untracked() {} }));
    const source = { request() {}, makeContext: this.#engine.context.bind(this.#engine) };
    this.#store = new CredentialStore(rig.sockets.network, source, Date.now);
    this.renew();
  }

  /** Renews the certificate, by another authority if one is given. */
  renew(issuer = this.#issuer): void {
    this.#issuer = issuer;
    this.#store.set(this.#issue());
  }

  /** Sets the trusted roots and a new certificate, which authorities send together. */
  trust(...anchors: readonly Issuer[]): void {
    this.#anchors = anchors;
    this.renew();
  }

  secure(plain: Duplex, role: "client" | "server", expected: PeerExpectation, done: (outcome: Outcome) => void): void {
    const { network } = this.#rig.sockets;
    const peerRole = role === "client" ? "server" : "client";
    this.#store.of(null).get(this.#id, {
      onCredential: ({ context, trust }: Credential) =>
        network.secure(plain, context, role, 10_000, {
          accept: (chain) => {
            const verdict = this.#peers.verify(chain, peerRole, trust, expected, Date.now());
            return isRefusal(verdict) ? verdict : null;
          },
          onSecure: (duplex, peer) => done({ duplex, peer }),
          onSecureFailure: (ending) => done({ ending }),
        }),
      onCredentialFailure: (message) => assert.fail(message),
    });
  }

  close(): void {
    this.#store.close();
    this.#engine.close();
  }

  #issue(): IssuedCertificate {
    const key = newKey();
    const leaf = makeLeaf(this.#issuer, this.#id, { ...VALID, key });
    const bundles = bundlesForAnyDomain(this.#anchors.map(({ certificate }) => certificate));
    return checkIssued(this.#id, [leaf], new Uint8Array(key.export({ format: "der", type: "pkcs8" })), bundles, now);
  }
}

interface Outcome {
  readonly duplex?: Duplex;
  readonly peer?: TlsPeer;
  readonly ending?: Ending;
}

/** The result of a handshake at both ends. `problem`: at the end that found it. */
async function handshake(rig: TlsRig, client: Node, server: Node) {
  const { network } = rig.sockets;
  const seen: { client?: Outcome; server?: Outcome } = {};
  const listener = network.listen({ address: { ip: LOOPBACK_V4, port: 0 } }, ({ duplex }) => {
    server.secure(duplex, "server", BOTH_ROLES, (outcome) => seen.server = outcome);
  });
  network.dial(listener.local, {}, {
    onConnect: (plain) => client.secure(plain, "client", BOTH_ROLES, (outcome) => seen.client = outcome),
    onDialFailure: ({ message }) => assert.fail(message),
  });
  await rig.sockets.run(() => seen.client !== undefined && seen.server !== undefined);
  listener.close();
  const both = [seen.client!, seen.server!];
  for (const { duplex } of both) duplex?.close(true);
  const endings = both.map(({ ending }) => ending).filter((ending) => ending !== undefined);
  const problem = (endings.find(({ by }) => by === "us") ?? endings[0])?.message ?? null;
  return { problem, clientLeaf: seen.server!.peer?.chain[0] };
}

async function withNodes(body: (rig: TlsRig, a: Node, b: Node) => Promise<void>): Promise<void> {
  await withTls(async (rig) => {
    const nodes = [new Node(rig, CLIENT_ID), new Node(rig, SERVER_ID)] as const;
    await body(rig, ...nodes);
    for (const node of nodes) node.close();
  });
}

Deno.test("TLS, identity T1: roots are exchanged on both nodes, step by step, and no handshake is refused", () =>
  withNodes(async (rig, a, b) => {
    const steps: readonly (readonly [what: string, take: () => void])[] = [
      ["as it was", () => {}],
      ["a trusts both", () => a.trust(old, next)],
      ["b trusts both, in the other order", () => b.trust(next, old)],
      ["a has a certificate of the new root", () => a.renew(next)],
      ["b too", () => b.renew(next)],
      ["a no longer trusts the old root", () => a.trust(next)],
      ["b too", () => b.trust(next)],
    ];
    for (const [what, take] of steps) {
      take();
      for (const [client, server] of [[a, b], [b, a]] as const) {
        assert.equal((await handshake(rig, client, server)).problem, null, what);
      }
    }
  }));

Deno.test("TLS: a peer with a certificate of a root that is no longer trusted is refused", () =>
  withNodes(async (rig, a, b) => {
    assert.equal((await handshake(rig, a, b)).problem, null);
    b.trust(old, next);
    b.renew(next);
    b.trust(next);
    assert.match((await handshake(rig, a, b)).problem ?? "", /unable to get local issuer certificate/);
  }));

Deno.test("TLS, identity T14: the next connection after a renewal uses the new certificate", () =>
  withNodes(async (rig, a, b) => {
    const shown = async () => (await handshake(rig, a, b)).clientLeaf;
    const first = await shown();
    assert.deepEqual(await shown(), first);
    a.renew();
    assert.notDeepEqual(await shown(), first);
  }));
