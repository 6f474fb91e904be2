import { strict as assert } from "node:assert";
import { gunzipSync } from "node:zlib";
import { PAGE_FILES, type PageFile, pageHandler } from "./dashboard_page.ts";
import { isStreamed } from "./response.ts";
import { get } from "./testkit/get.ts";

const FILES = Object.keys(PAGE_FILES) as PageFile[];
/** Bytes of all files together, compressed. */
const SIZE_MAX = 150 * 1024;

async function compressed(path: PageFile): Promise<Uint8Array> {
  const request = { ...get(path), headers: new Map([["accept-encoding", ["gzip"]]]) };
  const response = await pageHandler(path)(request);
  assert.ok(isStreamed(response));
  assert.ok(response.headers.some(([name, value]) => name === "content-encoding" && value === "gzip"));
  const pieces: Uint8Array[] = [];
  for (let piece; (piece = await response.next()) !== null;) {
    assert.ok(typeof piece !== "string");
    pieces.push(piece);
  }
  response.close();
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}

Deno.test("dashboard page: its files come compressed, and are small", async () => {
  let size = 0;
  for (const path of FILES) {
    const bytes = await compressed(path);
    size += bytes.length;
    const response = await pageHandler(path)(get(path));
    assert.ok(!isStreamed(response));
    assert.equal(new TextDecoder().decode(gunzipSync(bytes)), response.body);
  }
  assert.ok(size <= SIZE_MAX, `${size} bytes`);
});

Deno.test("dashboard page: a strict policy, and no other page may use it", async () => {
  for (const path of FILES) {
    const response = await pageHandler(path, () => Promise.resolve(""))(get(path));
    const headers = new Map<string, string>(response.headers);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none';/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.ok(!policy.includes("unsafe") && !policy.includes("http"));
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("content-type"), PAGE_FILES[path]);
  }
});

Deno.test("dashboard page: GET and HEAD only", async () => {
  const handler = pageHandler("/dashboard.html", () => Promise.resolve("page"));
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    assert.equal((await handler({ ...get("/"), method })).status, 405, method);
  }
  assert.equal((await handler({ ...get("/"), method: "HEAD" })).status, 200);
});

Deno.test("dashboard page: no inline script, style or handler, and nothing from elsewhere", async () => {
  const response = await pageHandler("/dashboard.html")(get("/"));
  assert.ok(!isStreamed(response));
  const text = String(response.body);
  assert.ok(!/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=/i.test(text));
  assert.deepEqual(
    [...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, to]) => to!).filter((to) => /^(https?:|\/)/.test(to)),
    [],
  );
});
