/**
 * Chapter 3: the access log lines of both proxies about the echo, and the metrics of node-a, compared with the client's
 * figures.
 */
import { CLIENT, SERVICE, SHOP } from "./workloads.ts";
import { established, REQUESTS } from "./chapter_http.ts";
import { durationOf, type LogLine, numberOf } from "../lab/log_line.ts";
import { scrape, sumOf } from "../lab/scrape.ts";
import { withTimeLimit } from "./time_limit.ts";
import { type DemoContext, heading, showLine } from "./chapter.ts";
import { count } from "./terminal.ts";
import type { Echo } from "./traffic.ts";

/** ms by which measurements of the same connection may differ on a busy machine. */
const TOLERANCE = 2_000;
/** Tunnels of the requests and of the echo. */
const TUNNELS = REQUESTS + 1;

/** Checks logs and metrics. `result`: the echo as the client saw it. */
export async function logsChapter(context: DemoContext, result: Echo): Promise<void> {
  const { mesh, claims } = context;
  heading(context, "3  Logs and metrics of that connection");
  const app = `${SHOP.ip}:${mesh.apps.ports.echo}`;
  const completed = (line: LogLine) => isTunnel(line) && line.fields.get("dst.hbone_addr") === app;
  const [a, b] = await Promise.all([
    mesh.a.line("the echo", (line) => completed(line) && line.fields.get("src.addr") === result.from),
    mesh.b.line("the echo", completed),
    // The client notices the end of a connection before the proxies log it.
    mesh.a.lines("all tunnels", TUNNELS, isTunnel),
    mesh.b.lines("all tunnels", TUNNELS, isTunnel),
  ]);
  showLine(context, mesh.a, a);
  showLine(context, mesh.b, b);
  checkLines(context, a, b, result);
  checkSharing(context);
  await checkMetrics(context);
  claims.check(
    mesh.a.find(failed).length + mesh.b.find(failed).length === 0,
    "no error in either log",
    () => [...mesh.a.find(failed), ...mesh.b.find(failed)].map(({ words }) => words.join(" ")).join("\n"),
  );
}

function isTunnel({ message }: LogLine): boolean {
  return message === "connection complete";
}

/** The demo uses its own certificate authority, about which each proxy warns at its start. */
function failed({ level, message }: LogLine): boolean {
  return (level === "error" || level === "warn") && !message?.startsWith("FAKE_CA=true");
}

function checkLines({ claims }: DemoContext, a: LogLine, b: LogLine, result: Echo): void {
  const values = (field: string) => () => `${field} ${a.fields.get(field)} and ${b.fields.get(field)}`;
  const both = (field: string, value: string) => a.fields.get(field) === value && b.fields.get(field) === value;
  claims.check(
    both("src.identity", CLIENT.identity),
    `both logged the client's identity: ${CLIENT.identity}`,
    values("src.identity"),
  );
  claims.check(
    both("dst.identity", SHOP.identity),
    `both logged the server's identity: ${SHOP.identity}`,
    values("dst.identity"),
  );
  const bytes = ["bytes_sent", "bytes_recv"].flatMap((field) => [numberOf(a, field), numberOf(b, field)]);
  claims.check(
    bytes.every((value) => value === result.back),
    `both counted ${count(result.back)} bytes in each direction`,
    () => bytes.join(", "),
  );
  const [ours, theirs] = [durationOf(a), durationOf(b)];
  claims.check(
    [ours, theirs].every((millis) => Math.abs(millis - result.millis) < TOLERANCE),
    `durations agree: ${ours} ms and ${theirs} ms; the client saw ${Math.round(result.millis)} ms`,
    () => `${ours} and ${theirs} ms`,
  );
}

function checkSharing({ mesh, claims }: DemoContext): void {
  const tunnels = [mesh.a, mesh.b].map((node) => node.find(isTunnel).length);
  const connections = mesh.a.find(established).length;
  claims.check(
    tunnels.every((size) => size === TUNNELS) && connections === 1,
    `all ${TUNNELS} tunnels so far went through one TLS connection`,
    () => `${tunnels.join(" and ")} tunnels, ${connections} connections`,
  );
}

/** In Istio's metrics "received" is what the server receives, so a source counts the client's request as received. */
async function checkMetrics({ mesh, claims }: DemoContext): Promise<void> {
  const lines = mesh.a.find(isTunnel);
  const logged = (field: string) => lines.reduce((sum, line) => sum + numberOf(line, field), 0);
  const samples = await withTimeLimit("metrics", () => scrape(`http://${mesh.metrics}/metrics`));
  const counted = (name: string) =>
    sumOf(samples, name, {
      reporter: "source",
      source_principal: CLIENT.identity,
      destination_principal: SHOP.identity,
      destination_service: SERVICE.hostname,
      connection_security_policy: "mutual_tls",
    });
  const [up, down] = [counted("istio_tcp_received_bytes_total"), counted("istio_tcp_sent_bytes_total")];
  claims.check(
    up === logged("bytes_sent") && down === logged("bytes_recv"),
    `metrics agree: istio_tcp_received_bytes_total ${count(up)}, istio_tcp_sent_bytes_total ${count(down)}`,
    () => `metrics ${up} and ${down}, log ${logged("bytes_sent")} and ${logged("bytes_recv")}`,
  );
}
