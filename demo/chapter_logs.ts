/** Chapter 3: both proxies' access lines of the echo, and node-a's metrics, against what the client saw. */
import { CLIENT, SERVICE, SHOP } from "./cast.ts";
import { established, REQUESTS } from "./chapter_http.ts";
import { durationOf, type LogLine, numberOf } from "../lab/log_line.ts";
import { scrape, sumOf } from "../lab/scrape.ts";
import { patiently } from "./patience.ts";
import { heading, showLine, type Stage } from "./stage.ts";
import { count } from "./terminal.ts";
import type { Echo } from "./traffic.ts";

/** ms by which two clocks of the same connection may differ on a busy machine. */
const TOLERANCE = 2_000;
/** The requests' and the echo's. */
const TUNNELS = REQUESTS + 1;

export async function logsChapter(stage: Stage, result: Echo): Promise<void> {
  const { mesh, claims } = stage;
  heading(stage, "3  What the proxies say of that connection");
  const app = `${SHOP.ip}:${mesh.apps.ports.echo}`;
  const completed = (line: LogLine) => isTunnel(line) && line.fields.get("dst.hbone_addr") === app;
  const [a, b] = await Promise.all([
    mesh.a.line("the echo", (line) => completed(line) && line.fields.get("src.addr") === result.from),
    mesh.b.line("the echo", completed),
    // The client knew of the end of each before they did.
    mesh.a.lines("all tunnels", TUNNELS, isTunnel),
    mesh.b.lines("all tunnels", TUNNELS, isTunnel),
  ]);
  showLine(stage, mesh.a, a);
  showLine(stage, mesh.b, b);
  checkLines(stage, a, b, result);
  checkSharing(stage);
  await checkMetrics(stage);
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

function checkLines({ claims }: Stage, a: LogLine, b: LogLine, result: Echo): void {
  const values = (field: string) => () => `${field} ${a.fields.get(field)} and ${b.fields.get(field)}`;
  const both = (field: string, value: string) => a.fields.get(field) === value && b.fields.get(field) === value;
  claims.check(
    both("src.identity", CLIENT.identity),
    `both know the caller: ${CLIENT.identity}`,
    values("src.identity"),
  );
  claims.check(both("dst.identity", SHOP.identity), `both know the called: ${SHOP.identity}`, values("dst.identity"));
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

function checkSharing({ mesh, claims }: Stage): void {
  const tunnels = [mesh.a, mesh.b].map((node) => node.find(isTunnel).length);
  const connections = mesh.a.find(established).length;
  claims.check(
    tunnels.every((size) => size === TUNNELS) && connections === 1,
    `all ${TUNNELS} tunnels so far went through one TLS connection`,
    () => `${tunnels.join(" and ")} tunnels, ${connections} connections`,
  );
}

/** The client's request is what a source reports as received: Istio counts from the view of the server. */
async function checkMetrics({ mesh, claims }: Stage): Promise<void> {
  const lines = mesh.a.find(isTunnel);
  const logged = (field: string) => lines.reduce((sum, line) => sum + numberOf(line, field), 0);
  const samples = await patiently("metrics", () => scrape(`http://${mesh.metrics}/metrics`));
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
