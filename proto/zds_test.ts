import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import type { Codec } from "./codec.d.ts";
import { istio } from "./gen/zds.js";

const { Version, WorkloadRequest, WorkloadResponse, ZdsHello } = istio.workload.zds;
const workloadInfo = { name: "name", namespace: "ns", serviceAccount: "sa" };

function literal<T>(name: string, codec: Codec<T>, message: Parameters<Codec<T>["encode"]>[0], hex: string): void {
  Deno.test(`inpod A1.2: ${name}`, () => {
    const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
    assert.deepEqual(Buffer.from(codec.encode(message).finish()), bytes);
    assert.deepEqual(JSON.parse(JSON.stringify(codec.decode(bytes))), message);
  });
}

literal("hello V1", ZdsHello, { version: Version.V1 }, "08 01");
literal("ack of success is not empty", WorkloadResponse, { ack: {} }, "0a 00");
literal('ack error "x"', WorkloadResponse, { ack: { error: "x" } }, "0a 03 0a 01 78");
literal("snapshot sent", WorkloadRequest, { snapshotSent: {} }, "1a 00");
literal("add without info", WorkloadRequest, { add: { uid: "uid0" } }, "0a 06 0a 04 75 69 64 30");
literal(
  "add with info",
  WorkloadRequest,
  { add: { uid: "uid0", workloadInfo } },
  "0a 16 0a 04 75 69 64 30 12 0e 0a 04 6e 61 6d 65 12 02 6e 73 1a 02 73 61",
);
literal("keep", WorkloadRequest, { keep: { uid: "uid0" } }, "2a 06 0a 04 75 69 64 30");
literal("delete", WorkloadRequest, { del: { uid: "uid0" } }, "12 06 12 04 75 69 64 30");

Deno.test("inpod A1.2: a request without payload decodes, with no payload", () => {
  const request = WorkloadRequest.decode(new Uint8Array());
  assert.equal(request.payload, undefined);
});
