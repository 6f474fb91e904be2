/** The admin, stats and readiness ports compared with those of a Rust ztunnel: both get the same requests. */
import { strict as assert } from "node:assert";
import { commandName } from "../../lab/commands.ts";
import { makeNamespace, type Namespace } from "../../lab/namespace.ts";
import { testNeeding } from "../../lab/needs.ts";
import { cacheProgram, Proxy } from "../../lab/proxy.ts";
import { meshText } from "../../lab/mesh.ts";
import { tempDir } from "../../lab/temp_dir.ts";

const NC = commandName("nc");

const NEEDS = { namespaces: true, env: ["ZTUNNEL_PEER"], packages: ["nc"] } as const;
const ADMIN = 15000, STATS = 15020, READINESS = 15021;

/** A request with a host that closes the connection. */
const whole = (line: string, more = "") => `${line}\r\nhost: localhost\r\nconnection: close\r\n\r\n${more}`;

const REQUESTS: readonly (readonly [port: number, request: string])[] = [
  [ADMIN, whole("GET / HTTP/1.1")],
  [ADMIN, whole("GET /nothing HTTP/1.1")],
  [ADMIN, whole("GET /config_dump/ HTTP/1.1")],
  [ADMIN, whole("OPTIONS * HTTP/1.1")],
  [ADMIN, whole("DELETE /config_dump?x=y HTTP/1.1")],
  [ADMIN, whole("GET /logging HTTP/1.1")],
  [ADMIN, whole("GET http://localhost/logging HTTP/1.1")],
  [ADMIN, "GET /logging HTTP/1.1\nhost: localhost\nconnection: close\n\n"],
  [ADMIN, whole("POST /logging HTTP/1.1")],
  [ADMIN, whole("POST /logging?level=foo HTTP/1.1")],
  [ADMIN, whole("POST /logging?level=a%3Dinfo%2Cwarn HTTP/1.1")],
  [ADMIN, whole("POST /logging?reset&level=error HTTP/1.1")],
  [ADMIN, whole("POST /logging?reset= HTTP/1.1")],
  [ADMIN, whole("POST /logging?unknown=1 HTTP/1.1")],
  [ADMIN, whole("POST /logging HTTP/1.1\r\ncontent-length: 2", "hi")],
  [ADMIN, whole("POST /logging HTTP/1.1\r\ntransfer-encoding: chunked", "2\r\nhi\r\n0\r\n\r\n")],
  [ADMIN, whole("POST /logging HTTP/1.1\r\ncontent-length: x")],
  [ADMIN, whole("POST /logging HTTP/1.1\r\nbad header: x")],
  [ADMIN, whole(`GET /logging HTTP/1.1\r\n${"a: b\r\n".repeat(150)}a: b`)],
  [ADMIN, "hello\r\n\r\n"],
  [ADMIN, "GET / HTTP/3.0\r\n\r\n"],
  [ADMIN, `GET /1 HTTP/1.1\r\nhost: localhost\r\n\r\n${whole("GET /2 HTTP/1.1")}`],
  [ADMIN, "GET /only-half-open HTTP/1.1\r\nhost: localhost\r\n\r\n"],
  [ADMIN, whole("GET /quitquitquit HTTP/1.1")],
  [ADMIN, whole("GET /debug/pprof/profile?seconds=0 HTTP/1.1")],
  [ADMIN, whole("GET /debug/pprof/profile?frequency=x HTTP/1.1")],
  [STATS, whole("GET /metrics HTTP/1.1")],
  [STATS, whole("POST /stats/prometheus HTTP/1.1")],
  [STATS, whole("GET / HTTP/1.1")],
  [READINESS, whole("GET /healthz/ready HTTP/1.1")],
  [READINESS, whole("POST /healthz/ready HTTP/1.1")],
  [READINESS, whole("GET / HTTP/1.1")],
];

interface Answered {
  /** Status lines and fields of each response, without those that depend on the time or on the length of our texts. */
  readonly heads: readonly string[];
  readonly bodies: readonly string[];
}

async function ask(inside: Namespace, port: number, request: string): Promise<Answered> {
  const script = `printf '%s' "$1" | ${NC} -N -w 5 127.0.0.1 ${port}`;
  const text = await inside.run("sh", "-c", script, "sh", request);
  const answers = text.split(/(?=HTTP\/1\.1 \d{3} )/).filter((part) => part !== "");
  const parts = answers.map((answer) => answer.split("\r\n\r\n", 2) as [string, string?]);
  return {
    heads: parts.map(([head, body = ""]) => headOf(head, body)),
    bodies: parts.map(([, body = ""]) => kind(body)),
  };
}

function headOf(head: string, body: string): string {
  const [status = "", ...fields] = head.split("\r\n");
  // Our dump is chunked, as it is made while it is sent; lengths of pages, usage texts and metrics differ.
  const fits = (field: string) =>
    !/^(date|transfer-encoding): /.test(field) && (!field.startsWith("content-length: ") || body.trim() === kind(body));
  return [status, ...fields.filter(fits).sort()].join("\n");
}

/** The body, or its kind where our text differs. */
function kind(body: string): string {
  if (/^<!DOCTYPE html>/i.test(body)) return "a page";
  if (body.includes("usage: POST /logging")) return `${body.slice(0, body.indexOf("\n"))} and a usage`;
  if (body.startsWith("# HELP process_open_fds")) return "metrics";
  return /"certificates": \[/.test(body) ? "a dump" : body.trim();
}

testNeeding(NEEDS, "ztunnel: config 4.1, 4.2, 5: both proxies answer the same bytes alike", async (t) => {
  using folder = tempDir();
  await cacheProgram("main.ts");
  const settings = {
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: "test/a/a",
    XDS_ADDRESS: "",
    LOCAL_XDS_PATH: folder.write("mesh.yaml", meshText([{ name: "a", ips: ["10.0.0.1"] }])),
    FAKE_CA: "true",
    ISTIO_META_DNS_CAPTURE: "false",
    IPV6_ENABLED: "false",
  };
  await using ours = await makeNamespace("ours");
  await using theirs = await makeNamespace("theirs");
  await using _proxy = await Proxy.ready(settings, { namespace: ours.name });
  const executable = Deno.env.get("ZTUNNEL_PEER")!;
  await using _peer = await Proxy.ready(settings, { namespace: theirs.name, executable });
  for (const [port, request] of REQUESTS) {
    await t.step(`${port}: ${JSON.stringify(request.slice(0, 60))}`, async () => {
      const [answer, expected] = await Promise.all([ask(ours, port, request), ask(theirs, port, request)]);
      assert.notEqual(expected.heads.length, 0);
      assert.deepEqual(answer, expected);
    });
  }
});
