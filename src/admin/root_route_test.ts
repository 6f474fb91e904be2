import { strict as assert } from "node:assert";
import { isStreamed } from "./response.ts";
import { listRoute } from "./root_route.ts";
import { get } from "./testkit/get.ts";

const route = listRoute();

Deno.test("config 4.3: the page has its rows in order and relative links", async () => {
  const response = await route(get("/"));
  assert.ok(!isStreamed(response));
  assert.deepEqual([response.status, response.headers], [200, [["content-type", "text/html; charset=utf-8"]]]);
  const page = String(response.body);
  assert.match(page, /<title>Ztunnel Admin<\/title>/);
  const rows = [...page.matchAll(/<tr class="(\w+)"><td><a href="([^"]+)">([^<]+)<\/a>/g)];
  assert.deepEqual(rows.map(([, , href]) => href), [
    "debug/pprof/profile",
    "debug/pprof/heap",
    "debug/pprof/heap/profiling",
    "quitquitquit",
    "config_dump",
    "node",
    "samples?follow=false",
    "service-map",
    "pods",
    "certificates",
    "policies",
    "connections",
    "observe?last=100&follow=false",
    "dry-run",
    "logging",
    "simulate",
    "explain",
  ]);
  for (const [i, [, style, href, text]] of rows.entries()) {
    assert.deepEqual([style, text], [i % 2 === 0 ? "plain" : "grey", href]);
  }
});
