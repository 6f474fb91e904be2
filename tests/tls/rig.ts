/** TLS over real sockets for tests: a reactor, an engine, generated certificates, both ends of a handshake. */
import { Program, type ProgramOptions } from "../../lab/program.ts";
import { type TempDir, tempDir } from "../../lab/temp_dir.ts";
import { isRefusal, type PeerRole } from "../../src/identity/peer_chain.ts";
import { encodePem } from "../../src/identity/pem.ts";
import {
  type CaOptions,
  HOUR,
  type Issuer,
  type LeafOptions,
  makeCa,
  makeLeaf,
  newKey,
} from "../../src/identity/testkit/certificates.ts";
import { tlsPolicy } from "../../src/identity/tls_policy.ts";
import { bundlesForAnyDomain, TrustStore } from "../../src/identity/trust_bundles.ts";
import { verifyPeer } from "../../src/identity/verify_peer.ts";
import type { KeyObject } from "node:crypto";
import { LOOPBACK_V4, type SocketAddress } from "../../src/net/address.ts";
import type { Duplex, Ending } from "../../src/net/duplex.ts";
import type { Listener, SecureEvents } from "../../src/net/network.ts";
import { openDescriptors, ReactorRig } from "../../src/net/testkit/reactor.ts";
import type { TlsContext, TlsPeer, TlsPolicy, TlsSettings } from "../../src/net/tls_context.ts";
import { TlsEngine } from "../../src/net/tls_engine.ts";
import { openTlsLibrary } from "../../src/os/open_tls_library.ts";
import type { TlsLibrary } from "../../src/os/tls_library.ts";

/** Opened once: libraries stay in the process. `TLS_LIBRARY` runs these tests with another one. */
export const library: TlsLibrary = openTlsLibrary(Deno.env.get("TLS_LIBRARY"));

export const TRUST_DOMAIN = "td";
export const CLIENT_ID = "spiffe://td/ns/a/sa/client";
export const SERVER_ID = "spiffe://td/ns/a/sa/server";

/** OpenSSL verifies certificates with the system's time. */
export const now = Date.now();
export const VALID = { notBefore: now - HOUR, notAfter: now + HOUR };

/** Makes an authority that is valid now. */
export function authority(name: string, options: CaOptions = {}): Issuer {
  return makeCa(name, { ...VALID, ...options });
}

/** A certificate chain and its key, as a workload has them. */
export interface Credential {
  readonly chain: readonly Uint8Array[];
  readonly key: KeyObject;
}

/** Makes a certificate that is valid now, and its key. */
export function credential(issuer: Issuer, id: string, options: LeafOptions = {}): Credential {
  const key = options.key ?? newKey();
  return { chain: [makeLeaf(issuer, id, { ...VALID, ...options, key })], key };
}

export const root = authority("root");
export const client = credential(root, CLIENT_ID);
export const server = credential(root, SERVER_ID);

const POLICY = tlsPolicy({ tls12: false, postQuantumOnly: false, fips: false });

/** The settings of one end. */
export interface EndOptions extends Partial<Pick<TlsPolicy, "ciphers" | "tls12Ciphers">> {
  /** The only list of groups. */
  readonly groups?: string;
  /** Trusted authorities; default `root`. */
  readonly anchors?: readonly Issuer[];
  readonly accept?: TlsSettings["accept"];
}

/** How a handshake has ended. */
export interface Outcome {
  readonly duplex?: Duplex;
  readonly peer?: TlsPeer;
  readonly ending?: Ending;
}

/** Both ends of handshakes, on one reactor. */
export class TlsRig implements AsyncDisposable {
  readonly sockets = new ReactorRig();
  readonly #library: TlsLibrary;
  /** By their policies. */
  readonly #engines = new Map<string, TlsEngine>();
  readonly #contexts: TlsContext[] = [];
  readonly #duplexes: Duplex[] = [];
  #isClosing = false;

  constructor(of: TlsLibrary = library) {
    this.#library = of;
    // The first callback of a process opens a descriptor, which is not a leak of the test.
    this.#engine(POLICY);
  }

  /** By default the peer's certificate must pass `verifyPeer` for our trust domain. */
  context({ chain, key }: Credential, options: EndOptions = {}): TlsContext {
    const anchors = (options.anchors ?? [root]).map((issuer) => issuer.certificate);
    const { ciphers, groups, tls12Ciphers } = options;
    const engine = this.#engine({
      ciphers: ciphers ?? POLICY.ciphers,
      tls12Ciphers: tls12Ciphers ?? null,
      groups: groups === undefined ? POLICY.groups : [groups],
    });
    const context = engine.context({
      chain,
      key: new Uint8Array(key.export({ format: "der", type: "pkcs8" })),
      anchors,
      accept: options.accept ?? acceptTrustDomain(anchors),
    });
    this.#contexts.push(context);
    return context;
  }

  #engine(policy: TlsPolicy): TlsEngine {
    const key = JSON.stringify(policy);
    const engine = this.#engines.get(key) ?? new TlsEngine(this.#library, policy);
    this.#engines.set(key, engine);
    return engine;
  }

  /** Listens and begins a handshake on each connection. Records how the handshakes end. */
  listen(context: TlsContext, timeout = 10_000): { listener: Listener; outcomes: Outcome[]; address: SocketAddress } {
    const outcomes: Outcome[] = [];
    const at = { address: { ip: LOOPBACK_V4, port: 0 } };
    const listener = this.sockets.network.listen(at, ({ duplex }) => {
      this.sockets.network.secure(duplex, context, "server", timeout, this.#collect(outcomes));
    });
    return { listener, outcomes, address: listener.local };
  }

  /** Dials and begins a handshake when TCP is connected. */
  async connect(to: SocketAddress, context: TlsContext, options: Pick<SecureEvents, "accept"> = {}): Promise<Outcome> {
    const outcomes: Outcome[] = [];
    this.sockets.network.dial(to, {}, {
      onConnect: (duplex) => {
        this.sockets.network.secure(duplex, context, "client", 10_000, { ...this.#collect(outcomes), ...options });
      },
      onDialFailure: (ending) => outcomes.push({ ending }),
    });
    await this.sockets.run(() => outcomes.length > 0);
    return outcomes[0]!;
  }

  /** Makes both ends of one secured connection. */
  async pair(clientContext: TlsContext, serverContext: TlsContext): Promise<{ client: Duplex; server: Duplex }> {
    const { listener, outcomes, address } = this.listen(serverContext);
    const ours = await this.connect(address, clientContext);
    await this.sockets.run(() => outcomes.length > 0);
    listener.close();
    const theirs = outcomes[0]!;
    if (ours.duplex === undefined || theirs.duplex === undefined) {
      throw new Error(`no handshake: ${JSON.stringify([ours.ending, theirs.ending])}`);
    }
    return { client: ours.duplex, server: theirs.duplex };
  }

  /** Closes all secured streams, and those of handshakes that end later. */
  closeStreams(): void {
    this.#isClosing = true;
    for (const duplex of this.#duplexes) duplex.close();
  }

  #collect(outcomes: Outcome[]): SecureEvents {
    return {
      onSecure: (duplex, peer) => {
        if (this.#isClosing) return duplex.close();
        this.#duplexes.push(duplex);
        outcomes.push({ duplex, peer });
      },
      onSecureFailure: (ending) => outcomes.push({ ending }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sockets.close();
    for (const context of this.#contexts) context.close();
    for (const engine of this.#engines.values()) engine.close();
  }
}

/** Runs `body` with a rig, and checks that it leaves no descriptor open. */
export async function withTls(body: (rig: TlsRig) => Promise<void>, of: TlsLibrary = library): Promise<void> {
  await using rig = new TlsRig(of);
  const before = openDescriptors();
  await body(rig);
  rig.closeStreams();
  await rig.sockets.run(() => openDescriptors() === before);
}

/** Accepts each peer of {@link TRUST_DOMAIN} with a path to one of `anchors`. */
function acceptTrustDomain(anchors: readonly Uint8Array[]): TlsSettings["accept"] {
  const store = new TrustStore(bundlesForAnyDomain(anchors));
  return (chain: readonly Uint8Array[], role: PeerRole) => {
    const result = verifyPeer(chain, role, store, { kind: "trust-domain", trustDomain: TRUST_DOMAIN }, Date.now());
    return isRefusal(result) ? result : null;
  };
}

/** Certificates and keys as files, and OpenSSL's own client and server. */
export class OpensslFiles implements Disposable {
  readonly #dir: TempDir = tempDir();

  certificates(name: string, ...chain: readonly Uint8Array[]): string {
    return this.#dir.write(`${name}.pem`, chain.map((der) => encodePem("CERTIFICATE", der)).join(""));
  }

  key(name: string, key: KeyObject): string {
    return this.#dir.write(`${name}.key`, key.export({ format: "pem", type: "pkcs8" }));
  }

  write(name: string, content: string | Uint8Array): string {
    return this.#dir.write(name, content);
  }

  path(name: string): string {
    return `${this.#dir.path}/${name}`;
  }

  /** The options of openssl that identify an end: `-cert`, `-key` and `-cert_chain`. */
  identity(name: string, { chain, key }: Credential): string[] {
    const args = ["-cert", this.certificates(name, ...chain), "-key", this.key(name, key)];
    return chain.length > 1 ? [...args, "-cert_chain", this.certificates(`${name}-chain`, ...chain.slice(1))] : args;
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}

/** `openssl s_client`, whose input is the output of a shell script. */
export function sClient(to: SocketAddress, args: readonly string[], input = "exec tail -f /dev/null"): Program {
  const command = ["openssl", "s_client", "-connect", `${to.ip}:${to.port}`, ...args].join(" ");
  const options: ProgramOptions = { args: ["-c", `(${input}) | ${command}`] };
  return new Program("sh", options);
}
