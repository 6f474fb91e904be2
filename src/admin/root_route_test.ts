import { strict as assert } from "node:assert";
import { isStreamed, plainText } from "./response.ts";
import { rootRoute } from "./root_route.ts";
import { get } from "./testkit/get.ts";

const route = rootRoute(() => plainText(200, "dashboard"));

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

Deno.test("/: browsers get the dashboard, everything else gets the list", async () => {
  const ask = async (accept: readonly string[], method = "GET") => {
    const response = await route({ ...get("/"), method, headers: new Map([["accept", accept]]) });
    assert.ok(!isStreamed(response));
    return response.body === "dashboard";
  };
  assert.equal(await ask(["text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"]), true);
  assert.equal(await ask(["Text/HTML"], "HEAD"), true);
  for (const accept of [[], ["*/*"], ["application/json"]]) assert.equal(await ask(accept), false, `${accept}`);
  assert.equal(await ask(["text/html"], "POST"), false);
});
