import { strict as assert } from "node:assert";
import { cString } from "./libc.ts";
import { withPointer } from "./pointers.ts";
import { readSecretLine, type TrafficSecrets } from "./traffic_secrets.ts";

const RANDOM = "ab".repeat(32);

function read(...lines: string[]): TrafficSecrets {
  const secrets: TrafficSecrets = { client: null, server: null };
  for (const line of lines) withPointer(cString(line), (pointer) => readSecretLine(pointer, secrets));
  return secrets;
}

Deno.test("traffic secrets: both of the application's are read, of either length and in either case", () => {
  const short = "00ff10a9".repeat(8), long = "0123456789ABCDEFabcdef99".repeat(4);
  const secrets = read(`CLIENT_TRAFFIC_SECRET_0 ${RANDOM} ${short}`, `SERVER_TRAFFIC_SECRET_0 ${RANDOM} ${long}`);
  const room = "00".repeat(12);
  assert.deepEqual(secrets, { client: Uint8Array.fromHex(short + room), server: Uint8Array.fromHex(long + room) });
});

Deno.test("traffic secrets: lines of other secrets are not read", () => {
  for (
    const label of ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "EXPORTER_SECRET", "CLIENT_RANDOM", "CLIENT_TRAFFIC_SECRET_1"]
  ) {
    assert.deepEqual(read(`${label} ${RANDOM} ${"12".repeat(48)}`), { client: null, server: null });
  }
});
