/** Chapter 4: who does not get in. Plain text, a TLS client without a certificate, an identity that the policy refuses. */
import { connect } from "node:tls";
import { INTRUDER, POLICY, SERVICE, SHOP } from "./cast.ts";
import type { LogLine } from "../lab/log_line.ts";
import { patiently } from "./patience.ts";
import { connectBySocks } from "../lab/socks.ts";
import { heading, showLine, type Stage } from "./stage.ts";
import { type Attempt, attempt } from "./traffic.ts";

const REQUEST = new TextEncoder().encode(`GET / HTTP/1.1\r\nhost: ${SERVICE.hostname}\r\n\r\n`);

export async function refusalsChapter(stage: Stage): Promise<void> {
  heading(stage, "4  Who is kept out");
  await plainText(stage);
  await noCertificate(stage);
  await refusedIdentity(stage);
}

async function plainText(stage: Stage): Promise<void> {
  const { mesh, claims } = stage;
  const where = { hostname: SHOP.ip, port: mesh.hbonePort };
  const result = await patiently("plain text", async () => attempt(await Deno.connect(where), REQUEST));
  const line = await refusalOf(stage, result.from);
  showLine(stage, mesh.b, line);
  claims.check(
    !isAnswer(result) && handshakeFailed(line),
    `plain HTTP to ${where.hostname}:${where.port} gets no answer: the port speaks TLS only`,
    () => `${result.received.length} bytes, ${line.words.join(" ")}`,
  );
}

async function noCertificate(stage: Stage): Promise<void> {
  const { mesh, claims } = stage;
  const result = await patiently("TLS without a certificate", () => tlsAttempt(SHOP.ip, mesh.hbonePort));
  const line = await refusalOf(stage, result.from);
  showLine(stage, mesh.b, line);
  claims.check(
    result.bytes === 0 && handshakeFailed(line),
    "TLS without a client certificate is closed during the handshake",
    () => `${result.bytes} bytes, ${line.words.join(" ")}`,
  );
}

async function refusedIdentity(stage: Stage): Promise<void> {
  const { mesh, claims } = stage;
  const target = { ip: SERVICE.ip, port: SERVICE.httpPort };
  const result = await patiently(
    "the intruder",
    async () => attempt(await connectBySocks(mesh.socksPorts.c, target), REQUEST),
  );
  const byIntruder = ({ message, fields }: LogLine) =>
    message === "connection complete" && fields.get("src.identity") === INTRUDER.identity;
  const [b, c] = await Promise.all([
    mesh.b.line("the intruder", byIntruder),
    mesh.c.line("its connection", (line) => byIntruder(line) && line.fields.get("src.addr") === result.from),
  ]);
  showLine(stage, mesh.b, b, ["src.identity", "error"]);
  showLine(stage, mesh.c, c, ["dst.identity", "error"]);
  const error = b.fields.get("error") ?? "";
  claims.check(
    error.includes("policy rejection") && (c.fields.get("error") ?? "").includes("401"),
    `"intruder" has a valid certificate, yet ${POLICY} refuses it: 401`,
    () => `${error}; ${c.fields.get("error")}`,
  );
  claims.check(
    result.received.length === 0,
    `the caller's connection is ${result.end === "reset" ? "reset" : "closed"} without a byte`,
    () => `${result.received.length} bytes`,
  );
}

/** node-b's line of the connection from `address` that never became one. */
function refusalOf({ mesh }: Stage, address: string): Promise<LogLine> {
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

/** As a client of TLS 1.3 that takes any server and shows no certificate. It may believe itself connected at first. */
function tlsAttempt(host: string, port: number): Promise<TlsAttempt> {
  const { promise, resolve } = Promise.withResolvers<TlsAttempt>();
  let from = "";
  let bytes = 0;
  const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ["h2"], minVersion: "TLSv1.3" });
  socket.on("connect", () => from = `${socket.localAddress}:${socket.localPort}`);
  socket.on("data", (chunk) => bytes += chunk.length);
  socket.on("error", () => {}); // an alert is as good as an end
  socket.on("close", () => resolve({ from, bytes }));
  return promise;
}
