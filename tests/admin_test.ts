/** The admin port of a running proxy, used like browsers, scripts and `go tool pprof` do. */
import { strict as assert } from "node:assert";
import { eventually } from "../lab/eventually.ts";
import { meshText } from "../lab/mesh.ts";
import { type Place, Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";

const IP = "127.26.0.3";

/** Runs `test` with a running proxy of one workload. */
async function withProxy(test: (admin: Place, url: (path: string) => string) => Promise<void>): Promise<void> {
  using folder = tempDir();
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  await using proxy = await Proxy.ready(nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path }));
  const admin = await proxy.place("admin");
  await test(admin, (path) => `http://${admin.hostname}:${admin.port}${path}`);
}

/** Everything that the server answers to `request` until it closes the connection. */
async function raw({ hostname, port }: Place, request: string): Promise<string> {
  using connection = await Deno.connect({ hostname, port });
  await connection.write(new TextEncoder().encode(request));
  return await new Response(connection.readable).text();
}

Deno.test("config 4.4: a running proxy's dump has every section in order", async () => {
  await withProxy(async (_admin, url) => {
    const response = await fetch(url("/config_dump?ignored"), { method: "POST" });
    assert.equal(response.headers.get("content-type"), "application/json");
    const text = await response.text();
    const dump = JSON.parse(text);
    assert.deepEqual(Object.keys(dump), [
      "certificates",
      "config",
      "policies",
      "services",
      "stagedServices",
      "staticConfig",
      "version",
      "workloads",
    ]);
    assert.equal(dump.config.proxyMode, "Dedicated");
    assert.equal(dump.staticConfig.workloads[0].name, "b");
    assert.equal(dump.workloads[0].name, "b");
    // A dedicated proxy with a static mesh fetches its own certificate before the first connection.
    assert.equal(dump.certificates[0].identity, "spiffe://cluster.local/ns/test/sa/b");
    assert.match(
      text,
      /^\{\n {2}"certificates": \[\n {4}\{\n[^]*\n {2}\],\n {2}"config": \{\n {4}"adminAddr": \{\n {6}"Localhost": \[\n/,
    );
    assert.ok(text.endsWith("\n  ]\n}"));
  });
});

Deno.test("config 4.1: a dump is sent in chunks, and without chunks to clients of HTTP/1.0", async () => {
  await withProxy(async (admin) => {
    const chunked = await raw(admin, "GET /config_dump HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert.match(chunked, /^HTTP\/1\.1 200 OK\r\ncontent-type: application\/json\r\ntransfer-encoding: chunked\r\n/);
    assert.ok(chunked.endsWith("\r\n0\r\n\r\n"));
    const plain = await raw(admin, "GET /config_dump HTTP/1.0\r\n\r\n");
    const [head, body = ""] = plain.split("\r\n\r\n");
    assert.doesNotMatch(head!, /chunked|content-length/);
    assert.equal(JSON.parse(body).workloads.length, 1);
    const none = await raw(admin, "HEAD /config_dump HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert.match(none, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/);
  });
});

Deno.test("config 4.1: requests that a page of another site causes are refused", async () => {
  await withProxy(async (admin, url) => {
    const rebound = "GET /config_dump HTTP/1.1\r\nhost: attacker.example:15000\r\nconnection: close\r\n\r\n";
    assert.match(await raw(admin, rebound), /^HTTP\/1\.1 403 Forbidden\r\n[^]*use an IP address or localhost/);
    const form = "POST /quitquitquit HTTP/1.1\r\nhost: localhost\r\norigin: https://attacker.example\r\n" +
      "content-length: 0\r\nconnection: close\r\n\r\n";
    assert.match(await raw(admin, form), /^HTTP\/1\.1 403 Forbidden\r\n/);
    assert.equal((await (await fetch(url("/"))).text()).length > 0, true, "it still runs");
  });
});

Deno.test("config 4.2, 4.3: the page and its links", async () => {
  await withProxy(async (_admin, url) => {
    const page = await fetch(url("/"));
    assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
    const links = [...(await page.text()).matchAll(/href="([^"]+)"/g)].map(([, href]) => `/${href}`);
    const statuses: [string, number][] = [];
    for (const link of links) {
      const response = await fetch(url(link.replace(/pprof\/(profile|heap)$/, "$&?seconds=1")));
      await response.arrayBuffer();
      statuses.push([link, response.status]);
    }
    assert.deepEqual(statuses, [
      ["/debug/pprof/profile", 200],
      ["/debug/pprof/heap", 200],
      ["/debug/pprof/heap/profiling", 500],
      ["/quitquitquit", 405],
      ["/config_dump", 200],
      ["/node", 200],
      ["/samples?follow=false", 200],
      ["/service-map", 200],
      ["/pods", 200],
      ["/certificates", 200],
      ["/policies", 200],
      ["/connections", 200],
      ["/observe?last=100&follow=false", 200],
      ["/dry-run", 200],
      ["/logging", 405],
      ["/simulate", 405],
      ["/explain", 400],
    ]);
    const nowhere = await fetch(url("/stats"));
    assert.deepEqual([nowhere.status, await nowhere.text()], [404, ""]);
  });
});

Deno.test("config 4.2: a profile has both isolates", async () => {
  await withProxy(async (_admin, url) => {
    const words = ["wall", "nanoseconds", "thread", "main", "data-plane-0"];
    // The engine loses samples of a thread that waits in compiled code, on a busy machine perhaps all of a second.
    await eventually("a profile of both isolates", async () => {
      let ended = false;
      const profile = fetch(url("/debug/pprof/profile?seconds=1&frequency=1000")).finally(() => ended = true);
      // Gives both isolates something to do.
      while (!ended) await (await fetch(url("/config_dump"))).text();
      const response = await profile;
      assert.deepEqual([response.status, response.headers.get("content-type")], [200, null]);
      const text = await response.text();
      return words.every((word) => text.includes(word));
    });
  });
});

Deno.test("config 4.2: a profile of memory has the functions of both isolates that allocated", async () => {
  await withProxy(async (_admin, url) => {
    let ended = false;
    const profile = fetch(url("/debug/pprof/heap?seconds=1&all")).finally(() => ended = true);
    while (!ended) await (await fetch(url("/config_dump"))).text();
    const response = await profile;
    assert.equal(response.status, 200);
    const text = await response.text();
    for (const word of ["alloc_space", "bytes", "thread", "main", "data-plane-0", ".ts"]) {
      assert.ok(text.includes(word), word);
    }
  });
});

Deno.test("routes of the dashboard: a running proxy describes itself", async () => {
  await withProxy(async (_admin, url) => {
    const get = async (path: string) => {
      const response = await fetch(url(path));
      assert.equal(response.status, 200, path);
      return await response.json();
    };
    const node = await get("/node");
    assert.deepEqual([node.mode, node.ready, node.mesh, node.controlPlane, node.authority.kind], [
      "dedicated",
      { pending: [], trouble: null },
      { workloads: 1, services: 0, policies: 0 },
      null,
      "local",
    ]);
    assert.deepEqual((await get("/pods")).pods[0], {
      uid: null,
      namespace: "test",
      name: "b",
      serviceAccount: "b",
      state: "Up",
      differences: [],
    });
    assert.deepEqual(await get("/service-map"), { edges: [], leftOut: { edges: 0, opened: 0 }, span: null });
    assert.deepEqual(await get("/policies"), { policies: [], isCut: false });
    const { certificates } = await get("/certificates");
    assert.deepEqual([certificates.length, certificates[0].failure], [1, null]);
    await eventually("the first sample", async () => {
      const text = await (await fetch(url("/samples?follow=false"))).text();
      const { names, samples } = JSON.parse(/^event: hour\ndata: (.*)$/m.exec(text)?.[1] ?? "{}");
      return samples.length > 0 && samples[0][names.indexOf("resident")] > 1e6 && samples[0].length === names.length;
    });
  });
});
