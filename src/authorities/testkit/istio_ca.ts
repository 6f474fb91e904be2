/** A scripted CA of Istio. */
import { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { istio } from "../../../proto/gen/ca.js";
import { openChannel } from "../../grpc/open_channel.ts";
import {
  type Serve,
  type ServerIdentity,
  serverIdentity,
  type TestServer,
  tlsServer,
  trustRoot,
} from "../../grpc/testkit/server.ts";
import { parseTarget } from "../../grpc/target.ts";
import type { ChannelOptions } from "../../grpc/channel.ts";
import type { Code } from "../../grpc/status.ts";
import * as build from "../../identity/certificate_builder.ts";
import { contextTag, DerReader, Tag, takeBoolean, takeOid, takeSmallInteger } from "../../identity/der.ts";
import { concatBytes } from "../../identity/der_write.ts";
import { decodePem, encodePem, isPemProblem } from "../../identity/pem.ts";
import { HOUR, type Issuer, leafUsage, makeCa } from "../../identity/testkit/certificates.ts";

/** One request to the CA. */
export interface CaCall {
  readonly csr: ParsedCsr;
  readonly validityDuration: number;
  readonly impersonated: string | null;
  readonly headers: IncomingHttpHeaders;
}

/** A parsed signing request. */
interface ParsedCsr {
  readonly uri: string;
  readonly critical: boolean;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly signatureIsGood: boolean;
  readonly subjectIsEmpty: boolean;
}

/** The certificates to send, an error, or no response. */
export type CaResponse = readonly string[] | { readonly code: Code; readonly details: string } | "nothing";

/** The CA of all issued certificates. */
export const WORKLOAD_ROOT = makeCa("Workload root", {
  notBefore: Date.now() - HOUR,
  notAfter: Date.now() + 100 * HOUR,
});

/** Encodes certificates in PEM. */
export function pem(...ders: readonly Uint8Array[]): string {
  return ders.map((der) => encodePem("CERTIFICATE", der)).join("");
}

/** Differences from the requested certificate. */
interface IssueOptions {
  readonly id?: string;
  readonly issuer?: Issuer;
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** Default: that of the request. */
  readonly publicKey?: Uint8Array;
}

/** Issues the leaf for a request, in DER. */
export function issueFor({ csr, impersonated, validityDuration }: CaCall, options: IssueOptions = {}): Uint8Array {
  const issuer = options.issuer ?? WORKLOAD_ROOT;
  return build.signCertificate({
    serial: build.randomSerial(),
    issuer: issuer.name,
    subject: build.organizationName(null),
    notBefore: options.notBefore ?? Date.now() - 120_000,
    notAfter: options.notAfter ?? Date.now() + validityDuration * 1000,
    publicKey: options.publicKey ?? csr.publicKey,
    extensions: [...leafUsage(), build.uriAltNames(options.id ?? impersonated ?? csr.uri)],
  }, issuer.key);
}

/** Issues the requested leaf and appends the root. */
export const issue = (call: CaCall): CaResponse => [pem(issueFor(call)), pem(WORKLOAD_ROOT.certificate)];

/** A CA that the test controls. */
export class ScriptedCa implements AsyncDisposable {
  readonly calls: CaCall[] = [];
  /** Returns the response to a request. */
  respond: (call: CaCall) => CaResponse = issue;
  #server: TestServer | null = null;

  /** Starts a CA. `at`: the address of its listener; default: a free port of 127.0.0.1. */
  static async start(
    identity: ServerIdentity = serverIdentity(),
    at?: { path: string } | { host: string; port: number },
  ): Promise<ScriptedCa> {
    const ca = new ScriptedCa();
    const serve: Serve = ({ stream, headers }) => {
      const received: Uint8Array[] = [];
      stream.on("data", (chunk: Uint8Array) => received.push(chunk));
      stream.on("end", () => ca.#serve(stream, headers, concatBytes(received)));
    };
    ca.#server = await tlsServer(serve, identity, at);
    return ca;
  }

  get port(): number {
    return this.#server!.port;
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: Uint8Array): void {
    if (headers[":path"] !== "/istio.v1.auth.IstioCertificateService/CreateCertificate") {
      return sendResponse(stream, null, 12, `unknown method ${headers[":path"]}`);
    }
    const request = istio.v1.auth.IstioCertificateRequest.decode(body.subarray(PREFIX));
    const impersonated = request.metadata?.fields["ImpersonatedIdentity"]?.stringValue ?? null;
    const { csr, validityDuration } = request;
    const call = { csr: parseCsr(csr), validityDuration, impersonated, headers };
    this.calls.push(call);
    const response = this.respond(call);
    if (response === "nothing") return;
    if ("code" in response) return sendResponse(stream, null, response.code, response.details);
    sendResponse(stream, istio.v1.auth.IstioCertificateResponse.encode({ certChain: response }).finish(), 0, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const server = this.#server;
    this.#server = null;
    await server?.[Symbol.asyncDispose]();
  }
}

/** The bytes before a message: a flag and its length. */
const PREFIX = 5;

function sendResponse(stream: ServerHttp2Stream, message: Uint8Array | null, status: number, text: string): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": String(status), "grpc-message": text }));
  if (message === null) return void stream.end();
  const prefix = new Uint8Array(PREFIX);
  new DataView(prefix.buffer).setUint32(1, message.length);
  stream.end(concatBytes([prefix, message]));
}

/** Returns a channel that trusts the root of the default server identity. */
export function channelToCa(ca: ScriptedCa, options: Partial<ChannelOptions> = {}) {
  const target = parseTarget(`https://localhost:${ca.port}`)!;
  return openChannel({ target, security: trustRoot(target), headers: [], token: null, ...options });
}

/** Parses a request strictly: version 0, one attribute with one extension. Throws for anything else. */
function parseCsr(text: string): ParsedCsr {
  const blocks = decodePem(text);
  if (isPemProblem(blocks) || blocks.length !== 1 || blocks[0]!.label !== "CERTIFICATE REQUEST") {
    throw new Error("no CERTIFICATE REQUEST in PEM");
  }
  const outer = new DerReader(blocks[0]!.der);
  const request = outer.enter(Tag.SEQUENCE);
  outer.finish();
  const info = request.whole(Tag.SEQUENCE);
  const algorithm = request.enter(Tag.SEQUENCE);
  const signature = request.take(Tag.BIT_STRING).subarray(1);
  if (takeOid(algorithm) !== "1.2.840.10045.4.3.2") throw new Error("not signed by ECDSA with SHA-256");
  const fields = new DerReader(info).enter(Tag.SEQUENCE);
  if (takeSmallInteger(fields) !== 0) throw new Error("not version 1");
  const subjectIsEmpty = fields.enter(Tag.SEQUENCE).done;
  const publicKey = fields.whole(Tag.SEQUENCE).slice();
  const attribute = only(fields.enter(contextTag(0, true)), Tag.SEQUENCE);
  if (takeOid(attribute) !== "1.2.840.113549.1.9.14") throw new Error("no extensionRequest");
  const extension = only(only(attribute.enter(Tag.SET), Tag.SEQUENCE), Tag.SEQUENCE);
  if (takeOid(extension) !== "2.5.29.17") throw new Error("no subjectAltName");
  const critical = extension.tag === Tag.BOOLEAN && takeBoolean(extension);
  const names = only(new DerReader(extension.take(Tag.OCTET_STRING)), Tag.SEQUENCE);
  const uri = new TextDecoder().decode(names.take(contextTag(6, false)));
  names.finish();
  return {
    uri,
    critical,
    publicKey,
    subjectIsEmpty,
    signatureIsGood: verify("sha256", info, spki(publicKey), signature),
  };
}

/** Returns a reader of the only element. */
function only(reader: DerReader, tag: number): DerReader {
  const inner = reader.enter(tag);
  reader.finish();
  return inner;
}

function spki(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
}
