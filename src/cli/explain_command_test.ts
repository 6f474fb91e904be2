import { strict as assert } from "node:assert";
import { runCommand } from "./commands.ts";
import type { Fetched, Terminal } from "./terminal.ts";

const DUMP = new URL("../../tests/fixtures/golden/config_dump-node1.json", import.meta.url);
const MANUAL = new URL("../../docs/explain.md", import.meta.url);

interface Run {
  readonly code: number;
  readonly printed: string;
  readonly complained: string;
  readonly fetched: readonly string[];
}

async function run(args: string, answers: Record<string, Fetched | Error> = {}): Promise<Run> {
  const said = { printed: "", complained: "", fetched: [] as string[] };
  const terminal: Terminal = {
    columns: undefined,
    print: (text) => void (said.printed += text),
    complain: (text) => void (said.complained += text),
    read: async (path) => {
      if (path === "absent") throw new Error("No such file: absent");
      return await Deno.readTextFile(DUMP);
    },
    open: () => Promise.reject(new Error("not used")),
    post: () => Promise.reject(new Error("not used")),
    fetch: (url) => {
      said.fetched.push(url);
      const answer = answers[new URL(url).pathname] ?? { status: 404, body: "" };
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
  const code = await runCommand(["explain", ...args.split(" ").filter((word) => word !== "")], terminal, "1.0.0");
  return { code, ...said };
}

const FROM_DUMP = "--dump node1.json --from app/client-1";

Deno.test("ztunnel explain: exit code 0 where it is allowed, 2 where not", async () => {
  const allowed = await run(`${FROM_DUMP} --to app/server:80`);
  assert.deepEqual([allowed.code, allowed.complained], [0, ""]);
  assert.match(allowed.printed, /^app\/client-1 -> app\/server:80\nALLOWED: HBONE to app\/server-1, allowed there: /);
  const refused = await run(`${FROM_DUMP} --to 10.9.0.3:9090`);
  assert.equal(refused.code, 2);
  assert.match(refused.printed, /\nREFUSED: app\/server-1 refuses: /);
});

Deno.test("ztunnel explain: the example in the manual is what it prints", async () => {
  const { printed } = await run(`${FROM_DUMP} --to behind-wp.app:80`);
  const manual = await Deno.readTextFile(MANUAL);
  assert.ok(manual.includes(printed), printed);
});

Deno.test("ztunnel explain: every rule is told with its name, what decided is marked", async () => {
  const { printed } = await run(`${FROM_DUMP} --to app/server:80`);
  const lines = printed.split("\n");
  assert.ok(lines.includes("    > HBONE to Kubernetes//Pod/app/server-1  [outbound.direct]"));
  assert.ok(lines.includes("    > ALLOW app/allow-client (by selector): matches"));
  assert.ok(lines.includes("      not ready, so no endpoint: Kubernetes//Pod/app/server-2"));
  assert.ok(lines.includes("      accepts there   spiffe://cluster.local/ns/app/sa/server"));
});

const WORDS: readonly (readonly [what: string, question: string, line: RegExp])[] = [
  [
    "a service that is passed through is known all the same",
    `${FROM_DUMP} --to none.example.com:80`,
    /^ALLOWED: plain TCP to 240\.240\.0\.4:80, the original destination, as the service requires$/m,
  ],
  [
    "a port that the service does not have",
    `${FROM_DUMP} --to app/server:82`,
    /^ {6}found service server\.app\.svc\.cluster\.local, but port 82 was unknown \(it has 80, 81\) {2}\[upstream\.no-port\]$/m,
  ],
  [
    "a stranger",
    `${FROM_DUMP} --to 8.8.8.8:53`,
    /^ALLOWED: plain TCP to 8\.8\.8\.8:53, an address outside of the mesh$/m,
  ],
  [
    "a name that cannot have an address",
    `${FROM_DUMP} --to ext.example.com:443`,
    /only, which stands for many and has no address of its own {2}\[outbound\.dns\]$/m,
  ],
  [
    "a policy on trial",
    `${FROM_DUMP} --to app/server:80`,
    /^ {6}dry-run DENY app\/dry \(whole namespace\): matches, and would deny if it were enforced$/m,
  ],
  [
    "a policy that istiod made",
    "--dump node1.json --from plain/legacy-1 --to app/server:80",
    /^ {4}> DENY app\/converted_\w+_strict \(by selector, from PeerAuthentication app\/strict\): matches$/m,
  ],
  [
    "somebody without an identity",
    "--dump node1.json --from plain/legacy-1 --to app/server:80",
    /rule 1: principal \(none\) is not among the excluded \* \(any\), port 8080 is not among the excluded 9090$/m,
  ],
];

for (const [what, question, line] of WORDS) {
  Deno.test(`ztunnel explain in words: ${what}`, async () => assert.match((await run(question)).printed, line));
}

Deno.test("ztunnel explain: ways that chance chooses among are listed, one of each kind is told", async () => {
  const { printed } = await run("--dump node1.json --from plain/legacy-1 --to 10.96.0.12:9000");
  assert.match(printed, /\nChance chooses one of 2 ways:\n {3}50 % {2}refused {2}app\/server-1 at 10.9.0.3:9000\n/);
  assert.equal(printed.match(/^If it is /gm)?.length, 1);
});

Deno.test("ztunnel explain --json", async () => {
  const { code, printed } = await run(`${FROM_DUMP} --to app/server:80 --json`);
  assert.equal(code, 0);
  assert.equal(JSON.parse(printed).explanation.outlook, "allowed");
  const mistake = await run("--dump node1.json --from app/clint-1 --to app/server:80 --json");
  assert.equal(mistake.code, 1);
  assert.equal(JSON.parse(mistake.printed).error.code, "UNKNOWN_SOURCE");
});

Deno.test("ztunnel explain: a name that nobody has, with those it may have meant", async () => {
  const { code, printed, complained } = await run("--dump node1.json --from app/clint-1 --to app/server:80");
  assert.deepEqual([code, printed], [1, ""]);
  assert.equal(complained, 'Error: there is no workload "app/clint-1"\n\nDid you mean:\n  app/client-1\n');
});

const USAGE: readonly (readonly [args: string, message: RegExp])[] = [
  ["", /^Error: --from and --to are needed, or the id of a decision\n\nUsage: ztunnel explain /],
  ["--from a", /^Error: --from and --to are needed, or the id of a decision/],
  ["--from a --to b --bogus", /^Error: unknown option '--bogus'/],
  ["--from a --to b more", /^Error: the id of a decision cannot be used with --from and --to/],
  ["a.1 more", /^Error: too many arguments for 'explain'/],
  ["--from a --to b --admin x:1 --dump y", /^Error: option '--dump <file>' cannot be used with option '--admin/],
  ["--from a --to b --dump absent", /^Error: No such file: absent\n$/],
];
for (const [args, message] of USAGE) {
  Deno.test(`ztunnel explain ${args}: exit code 1 and the reason`, async () => {
    const { code, printed, complained } = await run(args);
    assert.deepEqual([code, printed], [1, ""]);
    assert.match(complained, message);
  });
}

Deno.test("ztunnel explain asks the proxy of this host, or the one that is named", async () => {
  const error = { code: "BAD_TARGET", message: "no port", candidates: [] };
  const answers = { "/explain": { status: 400, body: JSON.stringify({ error }) } };
  const here = await run("--from app/a --to [fd00::1]:80", answers);
  assert.deepEqual(here.fetched, ["http://127.0.0.1:15000/explain?from=app%2Fa&to=%5Bfd00%3A%3A1%5D%3A80"]);
  assert.deepEqual([here.code, here.complained], [1, "Error: no port\n"]);
  const there = await run("--from app/a --to x:80 --admin localhost:15100", answers);
  assert.deepEqual(there.fetched, ["http://localhost:15100/explain?from=app%2Fa&to=x%3A80"]);
});

Deno.test("ztunnel explain: of a proxy that knows no explanations the dump is read", async () => {
  const body = await Deno.readTextFile(DUMP);
  const { code, fetched, printed } = await run("--from app/client-1 --to app/server:80", {
    "/config_dump": { status: 200, body },
  });
  assert.deepEqual(fetched.map((url) => new URL(url).pathname), ["/explain", "/config_dump"]);
  assert.equal(code, 0);
  assert.match(printed, /ALLOWED/);
});

const NO_ANSWERS: readonly (readonly [name: string, answers: Record<string, Fetched | Error>, message: RegExp])[] = [
  [
    "nobody listens",
    { "/explain": new Error("connection refused") },
    /^Error: cannot ask the proxy at 127\.0\.0\.1:15000: connection refused\nRun this where/,
  ],
  ["another server", { "/explain": { status: 200, body: "<html>" } }, /answers with status 200: <html>/],
  ["a failing proxy", { "/explain": { status: 500, body: "no worker" } }, /answers with status 500: no worker/],
  ["no dump either", {}, /answers with status 404 to \/config_dump/],
  ["a dump that is none", { "/config_dump": { status: 200, body: "{}" } }, /config_dump: this is no config dump/],
];
for (const [name, answers, message] of NO_ANSWERS) {
  Deno.test(`ztunnel explain: ${name}`, async () => {
    const { code, printed, complained } = await run("--from app/a --to x:80", answers);
    assert.deepEqual([code, printed], [1, ""]);
    assert.match(complained, message);
  });
}

Deno.test("ztunnel explain ID: what the decision stands for, and how often it was made", async () => {
  const decision = {
    id: "abcdefghijkl.2",
    text: "refused by rule 2 of policy shop/deny",
    policy: {
      key: "shop/deny",
      action: "Deny",
      scope: "Namespace",
      dryRun: false,
      rule: 2,
      conditions: "port is 80",
      revision: "abcdefghijkl",
      received: "2026-01-01T00:00:00.000Z",
      removed: "2026-01-02T00:00:00.000Z",
    },
    count: 3,
  };
  const answers = { "/explain": { status: 200, body: JSON.stringify({ decision }) } };
  const { code, printed, fetched } = await run("abcdefghijkl.2", answers);
  assert.deepEqual([code, fetched], [0, ["http://127.0.0.1:15000/explain?id=abcdefghijkl.2"]]);
  assert.equal(
    printed,
    `abcdefghijkl.2: refused by rule 2 of policy shop/deny

policy    DENY shop/deny (whole namespace)
rule 2    port is 80
revision  abcdefghijkl
in force  no, received 2026-01-01T00:00:00.000Z, replaced or removed 2026-01-02T00:00:00.000Z
decided   3 times on this node
`,
  );
  const error = { code: "UNKNOWN_DECISION", message: "no decision", candidates: [] };
  const unknown = await run("x", { "/explain": { status: 400, body: JSON.stringify({ error }) } });
  assert.deepEqual([unknown.code, unknown.complained], [1, "Error: no decision\n"]);
});

Deno.test("ztunnel explain ID: of a dump, with the id that an explanation shows", async () => {
  const { printed } = await run(`${FROM_DUMP} --to app/server:80`);
  const [, id] = /allow policy match: app\/allow-client\).* \[([a-z2-7]{12}\.1)\]/.exec(printed) ?? [];
  const found = await run(`${id} --dump node1.json`);
  assert.equal(found.code, 0);
  assert.match(found.printed, /: allowed by rule 1 of policy app\/allow-client\n\npolicy {4}ALLOW app\/allow-client/);
  assert.doesNotMatch(found.printed, /decided|in force/);
  const fixed = await run("no-allow-match --dump node1.json");
  assert.match(fixed.printed, /^no-allow-match: refused: ALLOW policies apply/);
  assert.equal((await run("aaaaaaaaaaaa.1 --dump node1.json")).code, 1);
});
