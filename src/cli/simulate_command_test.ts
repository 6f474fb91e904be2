import { strict as assert } from "node:assert";
import { type Change, type ChangeList, type SimulationResult } from "../mesh/simulate/result.ts";
import { runCommand } from "./commands.ts";
import type { Fetched } from "./terminal.ts";

const POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny, namespace: app}
spec: {action: DENY, rules: [{from: [{source: {principals: ["cluster.local/ns/app/sa/client"]}}]}]}
`;
const DUMP = JSON.stringify({
  policies: [],
  services: [],
  workloads: ["client", "web"].map((name, i) => ({
    uid: name,
    name,
    namespace: "app",
    serviceAccount: name,
    trustDomain: "cluster.local",
    workloadIps: [`10.0.0.${i + 1}`],
    protocol: "HBONE",
    status: "Healthy",
  })),
  workloadState: {
    one: {
      state: "Up",
      connections: {
        inbound: [
          { src: "10.0.0.1:4000", originalDst: null, actualDst: "10.0.0.2:8080", protocol: "HBONE" },
          { src: "10.0.0.7:4000", originalDst: null, actualDst: "10.0.0.2:8080", protocol: "TCP" },
          {
            src: "10.0.0.9:4000",
            originalDst: null,
            actualDst: "10.0.0.2:8080",
            protocol: "HBONE",
            identity: "spiffe://cluster.local/ns/app/sa/client",
          },
          { src: "10.0.0.8:4000", originalDst: null, actualDst: "10.0.0.2:8080", protocol: "HBONE" },
        ],
      },
    },
    two: { state: "Pending" },
  },
});

async function run(args: string, answer: Fetched | Error = { status: 404, body: "" }) {
  const said = { printed: "", complained: "", urls: [] as string[], bodies: [] as string[] };
  const files: Record<string, string> = { "deny.yaml": POLICY, "dump.json": DUMP, "bad.yaml": "kind: [", "-": POLICY };
  const code = await runCommand(["simulate", ...args.split(" ").filter((arg) => arg !== "")], {
    columns: undefined,
    print: (text) => void (said.printed += text),
    complain: (text) => void (said.complained += text),
    read: (path) =>
      path in files ? Promise.resolve(files[path]!) : Promise.reject(new Error(`cannot read ${path}: gone`)),
    fetch: () => Promise.reject(new Error("not used")),
    open: () => Promise.reject(new Error("not used")),
    post: (url, body) => {
      said.urls.push(url);
      said.bodies.push(body);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  }, "version");
  return { code, ...said };
}

const LIST: ChangeList = { evaluated: 9, skipped: 0, refused: 0, allowed: 0, changes: [], more: 0 };
const NOTHING: SimulationResult = {
  applied: [],
  assumptions: [],
  connections: LIST,
  flows: LIST,
  pairs: LIST,
  enumerated: null,
};

function body(result: Partial<SimulationResult>): Fetched {
  return { status: 200, body: JSON.stringify({ ...NOTHING, ...result }) };
}

function change(client: string, fields: Partial<Change> = {}): Change {
  return {
    change: "refused",
    source: { identity: `spiffe://td/ns/app/sa/${client}`, workload: null, address: null, workloads: 2 },
    destinations: [{ namespace: "app", workload: "web", workloads: 1, ports: [80] }],
    moreDestinations: 0,
    otherPorts: true,
    count: 1,
    ids: [],
    before: { allow: true, text: "no allow policies, allow", policy: null, id: "x", details: [] },
    after: {
      allow: false,
      text: "deny policy match",
      policy: "app/deny",
      id: "y",
      details: ["rule 2: port 80 is among 80"],
    },
    ...fields,
  };
}

Deno.test("simulate: the proxy gets all files and deletions, and the exit code says what changes", async () => {
  const { code, urls, bodies, printed } = await run(
    "--policy deny.yaml --policy - --delete app/x --delete PeerAuthentication/app/y --root-namespace mesh",
    body({}),
  );
  assert.equal(code, 0);
  assert.deepEqual(urls, [
    "http://127.0.0.1:15000/simulate?root=mesh&delete=app%2Fx&delete=PeerAuthentication%2Fapp%2Fy",
  ]);
  assert.deepEqual(bodies, [`${POLICY}\n---\n${POLICY}`]);
  assert.match(printed, /^open connections: 0 newly refused, 0 newly allowed \(of 9\)\n/);
  assert.equal((await run("--policy deny.yaml", body({ pairs: { ...LIST, allowed: 2 } }))).code, 3);
  const both = body({ pairs: { ...LIST, allowed: 2 }, flows: { ...LIST, refused: 1 } });
  assert.equal((await run("--policy deny.yaml", both)).code, 1);
});

Deno.test("simulate: one line for all clients with the same outcome for the same reason", async () => {
  const clients = ["a", "b", "c", "d", "e"].map((name) => change(name));
  const connection = change("f", {
    source: { identity: null, workload: "app/f", address: "10.0.0.1", workloads: 1 },
    otherPorts: false,
    count: 4,
    ids: ["1"],
  });
  const { printed } = await run(
    "--policy deny.yaml",
    body({
      applied: [{ object: "AuthorizationPolicy app/deny", effect: "added", notes: ["a note"] }],
      assumptions: ["nothing"],
      connections: { ...LIST, refused: 4, changes: [connection] },
      pairs: { ...LIST, refused: 7, skipped: 3, changes: clients, more: 2 },
    }),
  );
  assert.equal(
    printed,
    `open connections: 4 newly refused, 0 newly allowed (of 9)
connections that have ended: 0 newly refused, 0 newly allowed (of 9)
pairs of the mesh: 7 newly refused, 0 newly allowed (of 9, 3 not evaluated)

AuthorizationPolicy app/deny: added; a note
assumed: nothing

open connections, newly refused:
  app/f (plain 10.0.0.1) -> app/web:80 x4: allowed (no allow policies, allow) -> refused (deny policy match app/deny rule 2)

pairs of the mesh, newly refused:
  td/ns/app/sa/a, td/ns/app/sa/b, td/ns/app/sa/c and 2 more -> app/web:80,other ports: allowed (no allow policies, allow) -> refused (deny policy match app/deny rule 2)
  and 2 more
`,
  );
});

Deno.test("simulate: a dump has open connections and pairs, and no ended connections", async () => {
  const { code, printed } = await run("--policy deny.yaml --dump dump.json --json");
  assert.equal(code, 1);
  const { connections, flows, pairs } = JSON.parse(printed) as SimulationResult;
  assert.deepEqual([connections?.evaluated, connections?.skipped, connections?.refused], [3, 1, 2]);
  assert.equal(flows, null);
  assert.deepEqual(pairs?.changes.map(({ source }) => source.identity), ["spiffe://cluster.local/ns/app/sa/client"]);
});

Deno.test("simulate: what cannot be used or asked ends with code 2 and the cure", async () => {
  const mistakes = {
    "": /nothing to simulate: give --policy or --delete/,
    "--delete a": /cannot delete "a": write NAMESPACE\/NAME/,
    "--policy bad.yaml": /^Error: bad.yaml:1:/,
    "--policy bad.yaml --dump dump.json": /^Error: bad.yaml:1:/,
    "--policy gone.yaml": /cannot read gone.yaml/,
    "--policy deny.yaml": /has no \/simulate, as it is another or an older proxy: save its/,
    "--policy deny.yaml --dump dump.json --admin x:1": /cannot be used with/,
    "--nonsense": /unknown option/,
  };
  for (const [args, text] of Object.entries(mistakes)) {
    const { code, complained } = await run(args);
    assert.equal(code, 2, args);
    assert.match(complained, text, args);
  }
  const refused = await run("--policy deny.yaml", { status: 400, body: '{"error": "no such policy"}' });
  assert.deepEqual([refused.code, refused.complained], [2, "Error: no such policy\n"]);
  const absent = await run("--policy deny.yaml", new Error("connection refused"));
  assert.match(absent.complained, /cannot ask the proxy at 127.0.0.1:15000: connection refused\nRun this where/);
});
