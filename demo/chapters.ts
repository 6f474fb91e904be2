/** The order of the chapters, and the texts before and after them. */
import { CLIENT, INTRUDER, POLICY, SERVICE, SHOP } from "./workloads.ts";
import { bytesChapter } from "./chapter_bytes.ts";
import { httpChapter } from "./chapter_http.ts";
import { logsChapter } from "./chapter_logs.ts";
import { refusalsChapter } from "./chapter_refusals.ts";
import { type DemoContext, heading } from "./chapter.ts";

/** Runs all chapters. Throws `ClaimFailed` at the first claim that does not hold. `size`: bytes of the echo. */
export async function runChapters(context: DemoContext, size: number): Promise<void> {
  await httpChapter(context);
  const result = await bytesChapter(context, size);
  await logsChapter(context, result);
  await refusalsChapter(context);
}

/** Prints what was started. `millis`: how long that took. */
export function printIntroduction({ mesh, terminal }: DemoContext, millis: number): void {
  const row = (name: string, text: string) => terminal.say(`   ${terminal.dim(name.padEnd(9))}${text}`);
  terminal.say("   client ──SOCKS5──▶ node-a ══ HTTP/2 CONNECT in mutual TLS 1.3 ══▶ node-b ──TCP──▶ apps");
  terminal.say();
  const node = (name: string, workload: string, pid: number, text: string) =>
    row(name, `${workload.padEnd(10)}pid ${String(pid).padEnd(9)}${text}`);
  node("node-a", CLIENT.name, mesh.a.pid, `SOCKS5 at 127.0.0.1:${mesh.socksPorts.a}`);
  node(
    "node-b",
    SHOP.name,
    mesh.b.pid,
    `HBONE at ${SHOP.ip}:${mesh.hbonePort}, in front of an HTTP app and a TCP echo`,
  );
  node("node-c", INTRUDER.name, mesh.c.pid, `SOCKS5 at 127.0.0.1:${mesh.socksPorts.c}`);
  row("service", `${SERVICE.hostname}, ${SERVICE.ip}, an address that exists in the mesh only`);
  row("policy", `${POLICY} allows only ${CLIENT.identity}`);
  row("ready in", `${(millis / 1000).toFixed(1)} s; TLS by ${mesh.library}`);
}

/** Prints commands to try by hand. */
export function printCommands(context: DemoContext): void {
  const { mesh, terminal } = context;
  const { a, c } = mesh.socksPorts;
  const row = (command: string, what: string) => {
    terminal.say(`   ${terminal.dim(`# ${what}`)}`);
    terminal.say(`   ${command}`);
  };
  heading(context, "Try it by hand");
  row(`curl --socks5 127.0.0.1:${a} http://${SERVICE.ip}/`, "as client: the response of the app");
  row(`curl --socks5 127.0.0.1:${c} http://${SERVICE.ip}/`, "as intruder: refused");
  const question = `--from demo/${INTRUDER.name} --to ${SERVICE.ip}:80`;
  row(`npx -y deno@2.9.6 task start explain --admin ${mesh.admins.a} ${question}`, "explains why, rule by rule");
  row(`http://${mesh.admins.a}/ and http://${mesh.admins.b}/`, "in a browser: the dashboards of node-a and node-b");
  row(`curl http://${SHOP.ip}:${mesh.hbonePort}/`, "without the mesh: plain text is refused");
  row(`curl -s http://${mesh.metrics}/metrics | grep istio_tcp`, "node-a's metrics");
  row(`cat ${mesh.folder}/mesh.yaml`, "workloads, service and policy");
}
