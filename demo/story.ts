/** The order of the chapters, and what stands before and after them. */
import { CLIENT, INTRUDER, POLICY, SERVICE, SHOP } from "./cast.ts";
import { bytesChapter } from "./chapter_bytes.ts";
import { httpChapter } from "./chapter_http.ts";
import { logsChapter } from "./chapter_logs.ts";
import { refusalsChapter } from "./chapter_refusals.ts";
import { heading, type Stage } from "./stage.ts";

/** Throws `ClaimFailed` at the first claim that does not hold. `size`: bytes of the echo. */
export async function tellStory(stage: Stage, size: number): Promise<void> {
  await httpChapter(stage);
  const result = await bytesChapter(stage, size);
  await logsChapter(stage, result);
  await refusalsChapter(stage);
}

export function introduce({ mesh, terminal }: Stage, millis: number): void {
  const row = (name: string, text: string) => terminal.say(`   ${terminal.dim(name.padEnd(9))}${text}`);
  terminal.say("   client ──SOCKS5──▶ node-a ══ HTTP/2 CONNECT in mutual TLS 1.3 ══▶ node-b ──TCP──▶ apps");
  terminal.say();
  const node = (name: string, workload: string, pid: number, text: string) =>
    row(name, `${workload.padEnd(10)}pid ${String(pid).padEnd(9)}${text}`);
  node("node-a", CLIENT.name, mesh.a.pid, `in by SOCKS5 at 127.0.0.1:${mesh.socksPorts.a}`);
  node("node-b", SHOP.name, mesh.b.pid, `HBONE at ${SHOP.ip}:${mesh.hbonePort}, before an HTTP app and a TCP echo`);
  node("node-c", INTRUDER.name, mesh.c.pid, `in by SOCKS5 at 127.0.0.1:${mesh.socksPorts.c}`);
  row("service", `${SERVICE.hostname}, ${SERVICE.ip}, an address that only the mesh knows`);
  row("policy", `${POLICY} admits ${CLIENT.identity} alone`);
  row("ready in", `${(millis / 1000).toFixed(1)} s; TLS by ${mesh.library}`);
}

/** What to try by hand. */
export function invite(stage: Stage): void {
  const { mesh, terminal } = stage;
  const { a, c } = mesh.socksPorts;
  const row = (command: string, what: string) => {
    terminal.say(`   ${terminal.dim(`# ${what}`)}`);
    terminal.say(`   ${command}`);
  };
  heading(stage, "Try it by hand");
  row(`curl --socks5 127.0.0.1:${a} http://${SERVICE.ip}/`, "as client: the app's answer");
  row(`curl --socks5 127.0.0.1:${c} http://${SERVICE.ip}/`, "as intruder: refused");
  const question = `--from demo/${INTRUDER.name} --to ${SERVICE.ip}:80`;
  row(`npx -y deno@2.9.6 task start explain --admin ${mesh.admin} ${question}`, "why, rule by rule");
  row(`curl http://${SHOP.ip}:${mesh.hbonePort}/`, "past the mesh: no plain text here");
  row(`curl -s http://${mesh.metrics}/metrics | grep istio_tcp`, "node-a's metrics");
  row(`cat ${mesh.folder}/mesh.yaml`, "workloads, service and policy");
}
