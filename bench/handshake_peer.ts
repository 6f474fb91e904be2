/**
 * The other side of the row `handshakes`, in one program:
 *
 *     serve FOLDER ADDRESS...       a CA on port 15012 of the first address, and on port 15008 of the others peers that
 *                                   answer one request on each connection; prints "ready"
 *     dial FOLDER ADDRESS SECONDS   connections to port 15008 of the address, each until the first bytes of HTTP/2 are
 *                                   there; prints how many
 *     connect ADDRESS,... SECONDS   connections through the SOCKS5 port of this network, one after the other to each
 *                                   address, each of which is a request; prints how many were answered
 */
import { issueFor, pem, ScriptedCa, WORKLOAD_ROOT } from "../src/authorities/testkit/istio_ca.ts";
import { ROOT_PEM } from "../src/grpc/testkit/server.ts";
import { HOUR, makeLeaf, newKey } from "../src/identity/testkit/certificates.ts";
import { encodePem } from "../src/identity/pem.ts";
import { tlsPolicy } from "../src/identity/tls_policy.ts";
import { parseIp, type SocketAddress } from "../src/net/address.ts";
import type { Duplex } from "../src/net/duplex.ts";
import { Reactor } from "../src/net/reactor.ts";
import type { TlsContext } from "../src/net/tls_context.ts";
import { TlsEngine } from "../src/net/tls_engine.ts";
import { openTlsLibrary } from "../src/os/open_tls_library.ts";
import { ANSWER, answerOneRequest } from "./one_request.ts";

const CA_PORT = 15012, SOCKS_PORT = 15080;
/** The inbound port of proxies. */
export const HBONE_PORT = 15008;
const LANES = 16;
const TIMEOUT = 10_000;

const base64 = (bytes: Uint8Array) => bytes.toBase64();

/** A certificate with its key and root, in base64. */
interface Credentials {
  readonly leaf: string;
  readonly key: string;
  readonly root: string;
}

function newCredentials(names: readonly string[]): Record<string, Credentials> {
  const root = base64(WORKLOAD_ROOT.certificate);
  return Object.fromEntries(names.map((name) => {
    const key = newKey();
    const valid = { notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR };
    const leaf = makeLeaf(WORKLOAD_ROOT, `spiffe://cluster.local/ns/default/sa/${name}`, { ...valid, key });
    return [name, { leaf: base64(leaf), key: base64(key.export({ format: "der", type: "pkcs8" })), root }];
  }));
}

/** A TLS context with these credentials. It accepts any peer of the root. */
export function contextOf({ leaf, key, root }: Credentials): TlsContext {
  const engine = new TlsEngine(
    openTlsLibrary(Deno.env.get("TLS_LIBRARY")),
    tlsPolicy({ tls12: false, postQuantumOnly: false, fips: false }),
  );
  const [chain, pkcs8, anchor] = [leaf, key, root].map((text) => Uint8Array.fromBase64(text));
  return engine.context({ chain: [chain!], key: pkcs8!, anchors: [anchor!], accept: () => null });
}

/** Starts a reactor in this thread. */
export function startReactor(): Reactor {
  const fail = (error: unknown) => console.error(error);
  const reactor = new Reactor({ onError: fail, onShed: () => fail("connections were shed") });
  void reactor.run("shared");
  return reactor;
}

/** The files that {@link serve} wrote into `folder`. */
export function readCredentials(folder: string): Record<string, Credentials> {
  return JSON.parse(Deno.readTextFileSync(`${folder}/credentials.json`));
}

async function serve(folder: string, [own, ...others]: readonly string[]): Promise<void> {
  const credentials = newCredentials(["peer", ...others.map((_, index) => `w${index}`)]);
  Deno.writeTextFileSync(`${folder}/root.pem`, ROOT_PEM);
  Deno.writeTextFileSync(`${folder}/credentials.json`, JSON.stringify(credentials));
  // For peers that issue themselves a certificate of any identity (`loadOrCreateLocalCa`).
  Deno.writeTextFileSync(`${folder}/ca.pem`, pem(WORKLOAD_ROOT.certificate));
  const key = WORKLOAD_ROOT.key.export({ format: "der", type: "pkcs8" });
  Deno.writeTextFileSync(`${folder}/ca.key`, encodePem("PRIVATE KEY", new Uint8Array(key)));
  const ca = await ScriptedCa.start(undefined, { host: own!, port: CA_PORT });
  ca.respond = (call) => [pem(issueFor(call, { notBefore: Date.now() - 1000 })), pem(WORKLOAD_ROOT.certificate)];
  const reactor = startReactor();
  others.forEach((ip, index) => {
    const context = contextOf(credentials[`w${index}`]!);
    reactor.listen({ address: { ip: parseIp(ip)!, port: HBONE_PORT } }, ({ duplex }) => {
      reactor.secure(duplex, context, "server", TIMEOUT, {
        onSecure: answerOneRequest,
        onSecureFailure: (ending) => console.error(ending.message),
      });
    });
  });
  console.log("ready");
}

function dial(folder: string, address: SocketAddress, seconds: number): void {
  const context = contextOf(readCredentials(folder)["peer"]!);
  const reactor = startReactor();
  const end = performance.now() + seconds * 1000;
  const buffer = new Uint8Array(16_384);
  let done = 0, lanes = LANES;
  const next = () => {
    if (performance.now() < end) return one();
    if (--lanes > 0) return;
    console.log(done);
    Deno.exit(0);
  };
  const failed = ({ message }: { message: string }) => {
    console.error(message);
    Deno.exit(1);
  };
  // The server's SETTINGS show that it has accepted the certificate: in TLS 1.3 a client is ready before that.
  const onSecure = (secured: Duplex) => {
    const onReadable = () => {
      if (secured.read(buffer) <= 0) {
        return secured.ended ? failed({ message: "the connection was closed" }) : undefined;
      }
      done++;
      secured.close(true);
      next();
    };
    secured.start({ onReadable, onWritable() {}, onFailure: failed });
    onReadable();
  };
  const one = () => {
    reactor.dial(address, {}, {
      onConnect: (plain) => {
        reactor.secure(plain, context, "client", TIMEOUT, { onSecure, onSecureFailure: failed });
      },
      onDialFailure: failed,
    });
  };
  for (let lane = 0; lane < LANES; lane++) one();
}

/** Each lane has its own destination, as a proxy dials a peer once for all that need it at the same time. */
async function connectAll(addresses: readonly string[], seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000;
  let done = 0;
  const lane = async (ip: string) => {
    for (; performance.now() < end; done++) await requestThroughSocks(ip);
  };
  await Promise.all(addresses.map(lane));
  console.log(done);
}

/** Throws unless the peer has answered: then it was on a connection of its own, see {@link answerOneRequest}. */
async function requestThroughSocks(ip: string): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: SOCKS_PORT });
  await connection.write(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, ...ip.split(".").map(Number), 0x1f, 0x90));
  const buffer = new Uint8Array(512);
  let last = 0;
  for (let count; (count = await connection.read(buffer)) !== null;) last = buffer[count - 1]!;
  if (last !== ANSWER) throw new Error(`${ip} has not answered`);
}

if (import.meta.main) {
  const [mode, ...words] = Deno.args;
  if (mode === "serve") await serve(words[0]!, words.slice(1));
  else if (mode === "dial") dial(words[0]!, { ip: parseIp(words[1]!)!, port: HBONE_PORT }, Number(words[2]));
  else await connectAll(words[0]!.split(","), Number(words[1]));
}
