import assert from "node:assert/strict";
import type { Header } from "../config/config.ts";
import { tempDir } from "../../lab/temp_dir.ts";
import { credentialHeaders, requestHeaders } from "./headers.ts";
import { GrpcError } from "./status.ts";
import { parseTarget } from "./target.ts";

const TARGET = parseTarget("https://istiod:15012")!;

Deno.test("xds 2.3: credentials override headers of the call, and these override configured ones", () => {
  const configured: Header[] = [["a", "1"], ["a", "2"], ["authorization", "none"], ["b", "1"]];
  const callHeaders: Header[] = [["b", "2"], ["broker.spiffe.io", "true"]];
  const headers = requestHeaders(TARGET, "/p.S/M", null, configured, callHeaders, [["authorization", "Bearer x"]]);
  assert.deepEqual(headers, {
    "user-agent": "ztunnel",
    a: "2",
    authorization: "Bearer x",
    b: "2",
    "broker.spiffe.io": "true",
    ":method": "POST",
    ":scheme": "https",
    ":authority": "istiod:15012",
    ":path": "/p.S/M",
    te: "trailers",
    "content-type": "application/grpc",
  });
});

Deno.test("headers reserved by HTTP/2 or gRPC are not overridden", () => {
  const names = ["te", "content-type", "grpc-timeout", "grpc-status", "connection", "host", "transfer-encoding"];
  const headers = requestHeaders(TARGET, "/p.S/M", null, names.map((name) => [name, "x"] as const));
  assert.ok(!Object.values(headers).includes("x"));
});

const timeouts: readonly [ms: number, text: string][] = [
  [0.2, "1m"],
  [1, "1m"],
  [1500.4, "1501m"],
  [30_000, "30000m"],
  [99_999_999, "99999999m"],
  [100_000_000, "100000S"],
  [1e15, "99999999S"],
];

for (const [ms, text] of timeouts) {
  Deno.test(`a timeout of ${ms} ms is sent as ${text}`, () => {
    assert.equal(requestHeaders(TARGET, "/p.S/M", ms)["grpc-timeout"], text);
  });
}

const TOKEN = { clusterId: "c1" };

Deno.test("xds 2.3: without a token neither header is sent", async () => {
  assert.deepEqual(await credentialHeaders(null), []);
});

Deno.test("identity 3.1: a token file is read for each call, white space around the token is removed", async () => {
  using folder = tempDir();
  const path = folder.write("token", "one\n");
  const source = { kind: "file", path } as const;
  assert.deepEqual(await credentialHeaders({ ...TOKEN, source }), [["authorization", "Bearer one"], [
    "clusterid",
    "c1",
  ]]);
  folder.write("token", " two\r\n");
  assert.deepEqual((await credentialHeaders({ ...TOKEN, source }))[0], ["authorization", "Bearer two"]);
});

const badTokens: readonly [what: string, content: string | null, message: RegExp][] = [
  ["empty", "", /^token file exists, but was empty$/],
  ["nothing but white space", " \n", /^token file exists, but was empty$/],
  ["a newline inside", "first\nsecond", /^token file ".*" has characters that no token has$/],
  ["not ASCII", "töken", /^token file ".*" has characters that no token has$/],
  ["missing", null, /^cannot read token file ".*" \(AUTH_TOKEN\): No such file or directory \(os error 2\)$/],
];

for (const [what, content, message] of badTokens) {
  Deno.test(`a token file that is not usable (${what}) is an error that does not quote it`, async () => {
    using folder = tempDir();
    const path = content === null ? `${folder.path}/token` : folder.write("token", content);
    await assert.rejects(credentialHeaders({ ...TOKEN, source: { kind: "file", path } }), (error) => {
      assert.ok(error instanceof GrpcError);
      assert.match(error.message, message);
      assert.equal(error.stage, "connect");
      return true;
    });
  });
}

Deno.test("a token file that is a folder or too large is refused", async () => {
  using folder = tempDir();
  const asFolder = credentialHeaders({ ...TOKEN, source: { kind: "file", path: folder.path } });
  await assert.rejects(asFolder, /cannot read token file ".*": not a file|not a file$/);
  const path = folder.write("token", new Uint8Array(9 * 1024 * 1024));
  await assert.rejects(credentialHeaders({ ...TOKEN, source: { kind: "file", path } }), /9437184 bytes are too many/);
});
