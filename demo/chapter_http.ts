/** Chapter 1: HTTP requests, each on its own connection, all through one TLS connection between the nodes. */
import { SERVICE, SHOP } from "./workloads.ts";
import type { LogLine } from "../lab/log_line.ts";
import { withTimeLimit } from "./time_limit.ts";
import { type DemoContext, heading, showLine } from "./chapter.ts";
import { type HttpAnswer, httpGet, httpGets } from "./traffic.ts";

/** Requests; each has its own tunnel. */
export const REQUESTS = 200;
const AT_ONCE = 8;

/** Sends the requests and checks responses, TLS and identity. */
export async function httpChapter(context: DemoContext): Promise<void> {
  const { mesh, claims } = context;
  heading(context, `1  ${REQUESTS} HTTP requests`);
  const target = { ip: SERVICE.ip, port: SERVICE.httpPort };
  const get = () => httpGet(mesh.socksPorts.a, target, SERVICE.hostname);
  const answers = await withTimeLimit("HTTP requests", async (onProgress) => {
    // The first request opens the TLS connection that the others share.
    const first = await get();
    onProgress();
    return [first, ...await httpGets(REQUESTS - 1, AT_ONCE, get)];
  });
  const right = answers.filter(({ status, body }) => status === 200 && body === mesh.apps.greeting);
  claims.check(
    right.length === REQUESTS,
    `GET http://${SERVICE.ip}/ answered ${right.length} times by the app behind node-b; ${latency(answers)}`,
    () => JSON.stringify(answers.find((answer) => !right.includes(answer))),
  );
  const tls = await mesh.a.line("its connection to node-b", established);
  showLine(context, mesh.a, tls);
  checkTls(context, tls);
}

/** Whether a log line reports a TLS connection to another node. */
export function established({ message }: LogLine): boolean {
  return message === "HBONE connection established";
}

function checkTls({ mesh, claims }: DemoContext, tls: LogLine): void {
  const { fields } = tls;
  claims.check(
    fields.get("version") === "TLSv1.3" && fields.get("cipher") === "TLS_AES_256_GCM_SHA384",
    `between the nodes: ${fields.get("version")}, ${fields.get("cipher")}, key exchange ${fields.get("group")}`,
    () => tls.words.join(" "),
  );
  claims.check(
    fields.get("peer") === `${SHOP.ip}:${mesh.hbonePort}` && fields.get("identity") === SHOP.identity,
    `node-b proved by its certificate to be ${fields.get("identity")}`,
    () => tls.words.join(" "),
  );
}

function latency(answers: readonly HttpAnswer[]): string {
  const sorted = answers.map(({ millis }) => millis).sort((x, y) => x - y);
  const at = (part: number) => `${(sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(1)} ms`;
  return `half within ${at(0.5)}, 99 % within ${at(0.99)}`;
}
