import { strict as assert } from "node:assert";
import { CertificateError } from "../identity/authority.ts";
import type { CertificateStatus } from "../identity/certificate_manager.ts";
import { parseSpiffeId } from "../identity/spiffe_id.ts";
import { MESH_SECTIONS, MeshDump } from "../mesh/dump/sections.ts";
import { gateway, service, stateOf, workload } from "../mesh/testkit/fixture.ts";
import { configDumpRoute, type DumpSources, type MeshSource } from "./config_dump_route.ts";
import type { RequestHead } from "./request_head.ts";
import { isStreamed } from "./response.ts";

const REQUEST: RequestHead = {
  method: "GET",
  path: "/config_dump",
  query: "",
  headers: new Map(),
  minor: 1,
  keepAlive: true,
  bodyLength: 0,
  waitsWithBody: false,
};

const STATE = stateOf(
  workload({ uid: "a", name: "a", namespace: "ns", ips: ["127.0.0.2"], waypoint: gateway("defaultnw/127.0.0.10") }),
  service({ namespace: "ns", hostname: "b", vips: ["/10.0.0.1"] }),
);

function status(name: string, state: CertificateStatus["state"]): CertificateStatus {
  return {
    subject: { id: parseSpiffeId(`spiffe://cluster.local/ns/default/sa/${name}`)!, workloadUid: null },
    state,
    lastError: null,
  };
}

/** A mesh in this isolate, and the state of its readers. */
function meshSource(log: string[] = []): MeshSource {
  const dump = new MeshDump(STATE);
  return {
    async *section(name) {
      log.push(name);
      yield* dump.pieces(name);
    },
    end: () => void log.push("end"),
  };
}

const SOURCES: DumpSources = {
  certificates: () => [],
  config: { b: 1, a: { "443": 1, "80": 2 } },
  version: { version: "v" },
  staticConfig: () => ({ workloads: [], services: [], policies: [] }),
  mesh: () => Promise.resolve(meshSource()),
  workloadState: null,
};

function bed(sources: Partial<DumpSources> = {}) {
  const clock = { time: 0, turns: 0, now: () => clock.time, turn: () => Promise.resolve(void clock.turns++) };
  const handler = configDumpRoute({ ...SOURCES, ...sources }, clock);
  const ask = async () => {
    const response = await handler(REQUEST);
    assert.ok(isStreamed(response));
    return response;
  };
  const text = async () => {
    const response = await ask();
    let all = "";
    for (let piece = await response.next(); piece !== null; piece = await response.next()) all += piece;
    response.close();
    return all;
  };
  return { clock, handler, ask, text };
}

Deno.test("config 4.4: the whole document has its keys in order at every level", async () => {
  const { text } = bed();
  const document = await text();
  const value = JSON.parse(document);
  assert.deepEqual(Object.keys(value), [
    "certificates",
    "config",
    "policies",
    "services",
    "stagedServices",
    "staticConfig",
    "version",
    "workloads",
  ]);
  assert.ok(
    document.startsWith('{\n  "certificates": [],\n  "config": {\n    "a": {\n      "443": 1,\n      "80": 2\n    }'),
  );
  assert.ok(document.endsWith("\n  ]\n}"));
});

Deno.test("config C37: a waypoint with its indentation", async () => {
  const document = await bed().text();
  assert.ok(
    document.includes(
      'waypoint": {\n        "destination": "defaultnw/127.0.0.10",\n        "hboneMtlsPort": 15008\n      }',
    ),
  );
});

Deno.test("config C35: certificates that are not available", async () => {
  const error = new CertificateError("the identity is no longer needed", "FORGOTTEN");
  const { text, clock } = bed({
    certificates: () => [status("a", { at: "unavailable", error }), status("b", { at: "initializing" })],
  });
  assert.deepEqual(JSON.parse(await text()).certificates, [
    {
      identity: "spiffe://cluster.local/ns/default/sa/a",
      state: "Unavailable: the identity is no longer needed",
      certChain: [],
      rootCerts: [],
    },
    { identity: "spiffe://cluster.local/ns/default/sa/b", state: "Initializing", certChain: [], rootCerts: [] },
  ]);
  assert.ok(clock.turns >= 2, "others may run between two certificates");
});

Deno.test("config 4.4: the section workloadState, if any, is between version and workloads", async () => {
  const { text } = bed({
    async *workloadState() {
      yield '{\n    "uid1": {';
      yield "}\n  }";
    },
  });
  const document = await text();
  assert.deepEqual(Object.keys(JSON.parse(document)).slice(-3), ["version", "workloadState", "workloads"]);
});

Deno.test("an aborted dump ends its reading in the worker", async () => {
  const log: string[] = [];
  const { ask } = bed({ mesh: () => Promise.resolve(meshSource(log)), certificates: () => [] });
  const response = await ask();
  await response.next();
  response.close();
  for (let i = 0; i < 20; i++) await Promise.resolve();
  assert.equal(log.at(-1), "end");
  assert.equal(log.filter((entry) => entry === "end").length, 1);
});

Deno.test("two dumps may run at a time; a third gets status 503", async () => {
  const { handler, ask, text } = bed();
  const [first, second] = [await ask(), await ask()];
  const third = await handler(REQUEST);
  assert.ok(!isStreamed(third));
  assert.equal(third.status, 503);
  assert.match(String(third.body), /^2 config dumps are being sent already/);
  first.close();
  assert.ok((await text()).endsWith("}"));
  second.close();
});

Deno.test("a dump that takes longer than five minutes is aborted", async () => {
  const { clock, ask } = bed({
    async *workloadState() {
      for (let i = 0; i < 100; i++) yield "x".repeat(16 * 1024);
    },
  });
  const response = await ask();
  await response.next();
  clock.time = 5 * 60_000;
  await response.next();
  clock.time++;
  await assert.rejects(response.next(), /^Error: the dump was not read within 5 minutes$/);
  response.close();
});

Deno.test("a dump before there is a mesh fails with the reason", async () => {
  const { ask } = bed({ mesh: () => Promise.reject(new Error("no TLS library")) });
  const response = await ask();
  await assert.rejects(response.next(), { message: "no TLS library" });
  response.close();
});

Deno.test("the sections of the mesh are read in order", async () => {
  const log: string[] = [];
  await bed({ mesh: () => Promise.resolve(meshSource(log)) }).text();
  assert.deepEqual(log, [...MESH_SECTIONS, "end"]);
});
