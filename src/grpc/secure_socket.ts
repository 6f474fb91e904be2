/**
 * TLS over a connected socket. Both the runtime's engine and `server_path.ts` must accept the server.
 *
 * The engine accepts certificates without a valid signature if the names match and a certificate of the chain is
 * malformed (`docs/spec/deno-notes.md` 1.4). It reliably verifies that the server has the key of a well-formed
 * certificate; `server_path.ts` verifies the path and refuses malformed certificates.
 */
import type * as net from "node:net";
import type * as tls from "node:tls";
import { encodePem } from "../identity/pem.ts";
import { isRefusal } from "../identity/peer_chain.ts";
import { findServerPath } from "../identity/server_path.ts";
import type { Clock } from "../net/clock.ts";
import type { PeerRefusal } from "../net/tls_context.ts";
import type { TlsMaterial } from "./channel.ts";
import { CONNECT_MESSAGE, connectError, systemText } from "./dial.ts";
import { Code, GrpcError } from "./status.ts";

/** ms. */
const HANDSHAKE_TIMEOUT = 10_000;

/**
 * Performs the handshake. The result owns `plain`; on failure it is destroyed. Rejects with {@link GrpcError} of stage
 * `connect`, or the signal's reason.
 */
export async function secureSocket(
  plain: net.Socket,
  material: TlsMaterial,
  clock: Clock,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  const { connect } = await import("node:tls");
  let refusal: PeerRefusal | null = null;
  let wasVerified = false;
  const socket: tls.TLSSocket = connect({
    ...connectOptions(plain, material),
    checkServerIdentity: () => {
      wasVerified = true;
      refusal = verify(socket, material, clock.now());
      return refusal === null ? undefined : new Error(refusal.message);
    },
  });
  try {
    await secured(socket, clock, signal);
    // Checked before the first byte is sent, as a resumed session is not verified.
    if (!wasVerified || !socket.authorized) throw new Error("the server's certificate was not verified");
    if (socket.alpnProtocol !== "h2") throw new Error("the server does not speak HTTP/2 (no ALPN protocol h2)");
    return socket;
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    plain.destroy();
    if (signal.aborted) throw signal.reason;
    const known = refusal as PeerRefusal | null;
    if (known !== null) throw connectError(handshakeText(refusalText(known, material)));
    if (!isRefusalOfEngine(error)) throw connectError(handshakeText(engineText(error)));
    throw new UnexplainedRefusal(Code.Unavailable, CONNECT_MESSAGE, "connect", handshakeText(error.message));
  }
}

/** The TLS engine refused the server's certificate without a specific reason. */
export class UnexplainedRefusal extends GrpcError {}

/** Verification errors have the names of OpenSSL, such as `UNABLE_TO_GET_ISSUER_CERT_LOCALLY`. */
function isRefusalOfEngine(error: unknown): error is Error {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /^[A-Z]+_[A-Z_]+$/.test(code) && !code.startsWith("ERR_");
}

/**
 * Performs a handshake on `plain`, sends nothing, and returns why the server's certificate is refused; null where no
 * problem is found. Destroys `plain`. Rejects like {@link secureSocket}.
 */
export async function explainRefusal(
  plain: net.Socket,
  material: TlsMaterial,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | null> {
  const { connect } = await import("node:tls");
  const socket = connect({ ...connectOptions(plain, material), rejectUnauthorized: false });
  try {
    await secured(socket, clock, signal);
    const refusal = verify(socket, material, clock.now());
    return refusal === null ? null : handshakeText(refusalText(refusal, material));
  } finally {
    socket.on("error", () => {});
    socket.destroy();
    plain.destroy();
  }
}

function handshakeText(problem: string): string {
  return `tls handshake error: ${problem}`;
}

function engineText(error: unknown): string {
  const text = systemText(error);
  return text.includes("ProtocolVersion") ? `${text}; TLS 1.3 is required unless TLS12_ENABLED=true` : text;
}

function refusalText(refusal: PeerRefusal, material: TlsMaterial): string {
  const trusted = refusal.code === "UNKNOWN_ISSUER" ? `; trusted are ${material.anchorsFrom}` : "";
  return `invalid peer certificate: ${refusal.message}${trusted}`;
}

function connectOptions(plain: net.Socket, material: TlsMaterial): tls.ConnectionOptions {
  const { credentials, serverName, anchors } = material;
  return {
    socket: plain,
    ...serverName === null ? {} : { servername: serverName },
    ca: anchors.map(({ der }) => encodePem("CERTIFICATE", der)),
    ...credentials === null ? {} : {
      cert: credentials.chain.map((der) => encodePem("CERTIFICATE", der)).join(""),
      key: encodePem("PRIVATE KEY", credentials.key),
    },
    minVersion: material.tls12 ? "TLSv1.2" : "TLSv1.3",
    ALPNProtocols: ["h2"],
  };
}

function verify(socket: tls.TLSSocket, material: TlsMaterial, now: number): PeerRefusal | null {
  const path = findServerPath(presentedChain(socket), material.anchors, now);
  return isRefusal(path) ? path : material.accept(path);
}

/** DER, leaf first. Uses an internal method, as the public interface returns only the leaf. */
function presentedChain(socket: tls.TLSSocket): Uint8Array[] {
  const handle: unknown = Reflect.get(socket, "_handle");
  const chain = (handle as { getPeerCertificateChain?(): { certificates: Uint8Array[] } | null } | null)
    ?.getPeerCertificateChain?.();
  return (chain?.certificates ?? []).map((der) => new Uint8Array(der.buffer, der.byteOffset, der.byteLength));
}

function secured(socket: tls.TLSSocket, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = () => {
      timer.cancel();
      signal.removeEventListener("abort", abort);
      socket.off("secureConnect", succeeded).off("error", failed).off("close", closed);
    };
    const failed = (error: unknown) => {
      finish();
      reject(error);
    };
    const succeeded = () => {
      finish();
      resolve();
    };
    const closed = () => failed(new Error("the server closed the connection"));
    const abort = () => failed(signal.reason);
    const timer = clock.after(HANDSHAKE_TIMEOUT, () => {
      failed(new Error(`no end of it within ${HANDSHAKE_TIMEOUT / 1000} s`));
    });
    signal.addEventListener("abort", abort, { once: true });
    socket.once("secureConnect", succeeded).once("error", failed).once("close", closed);
  });
}
