import { strict as assert } from "node:assert";
import { parseConfig } from "../../config/parse_config.ts";
import { FakeWorker } from "../testkit/fake_worker.ts";
import { Workers } from "./workers.ts";

const FILES: Readonly<Record<string, string>> = { "/etc/resolv.conf": "nameserver 10.0.0.10\n" };

function bed() {
  const env = {
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: "ns/name/sa",
    ISTIO_META_DNS_CAPTURE: "false",
    ZTUNNEL_WORKER_THREADS: "2",
  };
  const config = parseConfig(env, { read: (path) => FILES[path] ?? null, exists: (path) => path in FILES }, 2);
  const fakes: FakeWorker[] = [];
  const make = () => {
    const fake = new FakeWorker();
    fakes.push(fake);
    return fake;
  };
  const workers = new Workers(config, make, {
    onCertificateRequest() {},
    onPod() {},
    onResourcesApplied() {},
    onLookup() {},
  });
  return { workers, fakes };
}

const IMMEDIATE = { kind: "immediate" } as const;

Deno.test("workers: what waits for answers fails when a worker dies, and what comes later too", async () => {
  const { workers, fakes } = bed();
  const before = workers.drain(IMMEDIATE);
  fakes[0]!.says({ kind: "drained" });
  fakes[1]!.dies("boom");
  await assert.rejects(before, /a data-plane worker died: boom/);
  await assert.rejects(workers.death, /a data-plane worker died: boom/);
  await assert.rejects(workers.drain(IMMEDIATE), /a data-plane worker died: boom/);
});

Deno.test("workers: an answered question leaves no callback at the promise of a death", async () => {
  const { workers, fakes } = bed();
  const { death } = workers;
  let callbacks = 0;
  const get = () => {
    callbacks++;
    return Promise.prototype.then;
  };
  Object.defineProperty(death, "then", { get });
  for (const fake of fakes) fake.says({ kind: "drained" });
  for (let i = 0; i < 3; i++) await workers.drain(IMMEDIATE);
  assert.equal(callbacks, 0);
});
