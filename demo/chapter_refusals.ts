/**
 * Chapter 4: connections that are refused: plain text, TLS without a client certificate, an identity that the policy
 * does not allow.
 */
import { connect } from "node:tls";
import { INTRUDER, POLICY, SERVICE, SHOP } from "./workloads.ts";
import type { LogLine } from "../lab/log_line.ts";
import { withTimeLimit } from "./time_limit.ts";
import { connectBySocks } from "../lab/socks.ts";
import { type DemoContext, heading, showLine } from "./chapter.ts";
import { type Attempt, attempt } from "./traffic.ts";

const REQUEST = new TextEncoder().encode(`GET / HTTP/1.1\r\nhost: ${SERVICE.hostname}\r\n\r\n`);

/** Tries each and checks how it is refused. */
export async function refusalsChapter(context: DemoContext): Promise<void> {
  heading(context, "4  What is refused");
  await plainText(context);
  await noCertificate(context);
  await refusedIdentity(context);
}

async function plainText(context: DemoContext): Promise<void> {
  const { mesh, claims } = context;
  const where = { hostname: SHOP.ip, port: mesh.hbonePort };
  const result = await withTimeLimit("plain text", async () => attempt(await Deno.connect(where), REQUEST));
  const line = await refusalOf(context, result.from);
  showLine(context, mesh.b, line);
  claims.check(
    !isAnswer(result) && handshakeFailed(line),
    `plain HTTP to ${where.hostname}:${where.port} gets no response: the port accepts TLS only`,
    () => `${result.received.length} bytes, ${line.words.join(" ")}`,
  );
}

async function noCertificate(context: DemoContext): Promise<void> {
  const { mesh, claims } = context;
  const result = await withTimeLimit("TLS without a certificate", () => tlsAttempt(SHOP.ip, mesh.hbonePort));
  const line = await refusalOf(context, result.from);
  showLine(context, mesh.b, line);
  claims.check(
    result.bytes === 0 && handshakeFailed(line),
    "TLS without a client certificate is closed during the handshake",
    () => `${result.bytes} bytes, ${line.words.join(" ")}`,
  );
}

async function refusedIdentity(context: DemoContext): Promise<void> {
  const { mesh, claims } = context;
  const target = { ip: SERVICE.ip, port: SERVICE.httpPort };
  const result = await withTimeLimit(
    "the intruder",
    async () => attempt(await connectBySocks(mesh.socksPorts.c, target), REQUEST),
  );
  const byIntruder = ({ message, fields }: LogLine) =>
    message === "connection complete" && fields.get("src.identity") === INTRUDER.identity;
  const [b, c] = await Promise.all([
    mesh.b.line("the intruder", byIntruder),
    mesh.c.line("its connection", (line) => byIntruder(line) && line.fields.get("src.addr") === result.from),
  ]);
  showLine(context, mesh.b, b, ["src.identity", "error"]);
  showLine(context, mesh.c, c, ["dst.identity", "error"]);
  const error = b.fields.get("error") ?? "";
  claims.check(
    error.includes("policy rejection") && (c.fields.get("error") ?? "").includes("401"),
    `"intruder" has a valid certificate, but ${POLICY} refuses it: 401`,
    () => `${error}; ${c.fields.get("error")}`,
  );
  claims.check(
    result.received.length === 0,
    `the client's connection is ${result.end === "reset" ? "reset" : "closed"} without a byte`,
    () => `${result.received.length} bytes`,
  );
}

/** The log line of node-b about the refused connection from `address`. */
function refusalOf({ mesh }: DemoContext, address: string): Promise<LogLine> {
  return mesh.b.line(
    `that it refused ${address}`,
    ({ message, fields }) => message === "connection failed" && fields.get("src.addr") === address,
  );
}

function handshakeFailed(line: LogLine): boolean {
  return (line.fields.get("error") ?? "").startsWith("tls handshake error");
}

function isAnswer({ received }: Attempt): boolean {
  return new TextDecoder().decode(received).includes("HTTP/");
}

interface TlsAttempt {
  readonly from: string;
  /** Application data received. */
  readonly bytes: number;
}

/**
 * Connects by TLS 1.3 without verifying the server and without a certificate. The handshake may seem complete at first.
 */
function tlsAttempt(host: string, port: number): Promise<TlsAttempt> {
  const { promise, resolve } = Promise.withResolvers<TlsAttempt>();
  let from = "";
  let bytes = 0;
  const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ["h2"], minVersion: "TLSv1.3" });
  socket.on("connect", () => from = `${socket.localAddress}:${socket.localPort}`);
  socket.on("data", (chunk) => bytes += chunk.length);
  socket.on("error", () => {}); // an alert also ends the connection
  socket.on("close", () => resolve({ from, bytes }));
  return promise;
}
