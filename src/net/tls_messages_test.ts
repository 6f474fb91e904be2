import { strict as assert } from "node:assert";
import * as fc from "../../testkit/repeatable.ts";
import { Alert } from "./tls_alerts.ts";
import { NEW_KEY, NEW_KEY_AND_OURS, NOTHING, PeerMessages } from "./tls_messages.ts";

const UPDATE = [24, 0, 0, 1, 0], REQUEST = [24, 0, 0, 1, 1];
const TICKET = [4, 0, 0, 6, 1, 2, 3, 4, 5, 6];

/** Reads records in order, up to the first alert. */
function results(role: "client" | "server", ...records: readonly (readonly number[])[]): number[] {
  const messages = new PeerMessages(role), found: number[] = [];
  for (const record of records) {
    found.push(messages.read(Uint8Array.from(record), record.length, () => true));
    if (found.at(-1)! < 0) break;
  }
  return found;
}

Deno.test("TLS messages: key updates with and without a request, whole and byte by byte", () => {
  assert.deepEqual(results("server", UPDATE, REQUEST), [NEW_KEY, NEW_KEY_AND_OURS]);
  assert.deepEqual(results("client", ...REQUEST.map((byte) => [byte])), [NOTHING, NOTHING, NOTHING, NOTHING, 2]);
});

Deno.test("TLS messages: a client skips tickets, several in a record or divided, and a key update behind them", () => {
  assert.deepEqual(
    results("client", [...TICKET, ...TICKET.slice(0, 3)], TICKET.slice(3, 8), [...TICKET.slice(8), ...UPDATE]),
    [
      NOTHING,
      NOTHING,
      NEW_KEY,
    ],
  );
});

Deno.test("TLS messages: it is known whether a message has begun and not ended", () => {
  const messages = new PeerMessages("client"), begun: boolean[] = [];
  for (const byte of [...TICKET, ...UPDATE]) {
    messages.read(Uint8Array.of(byte), 1, () => true);
    begun.push(messages.isWithinMessage);
  }
  assert.deepEqual(begun.map(Number).join(""), "111111111011110");
});

const violations: readonly [what: string, record: readonly number[], role: "client" | "server", alert: number][] = [
  ["no byte", [], "client", Alert.UNEXPECTED_MESSAGE],
  ["a ticket of a client", TICKET, "server", Alert.UNEXPECTED_MESSAGE],
  ["a ticket that cannot be that long", [4, 2, 1, 0x0b], "client", Alert.DECODE_ERROR],
  ["a request for our certificate", [13, 0, 0, 3, 0, 0, 0], "client", Alert.UNEXPECTED_MESSAGE],
  ["a second ClientHello", [1, 0, 0, 0], "server", Alert.UNEXPECTED_MESSAGE],
  ["a key update of two bytes", [24, 0, 0, 2, 0, 0], "server", Alert.DECODE_ERROR],
  ["an empty key update", [24, 0, 0, 0], "server", Alert.DECODE_ERROR],
  ["a key update with an unknown value", [24, 0, 0, 1, 2], "server", Alert.ILLEGAL_PARAMETER],
  ["a key update with bytes behind it", [...UPDATE, 0], "server", Alert.UNEXPECTED_MESSAGE],
  ["two key updates in one record", [...UPDATE, ...UPDATE], "server", Alert.UNEXPECTED_MESSAGE],
];
for (const [what, record, role, alert] of violations) {
  Deno.test(`TLS messages: the alert for ${what}`, () => assert.deepEqual(results(role, record), [-alert]));
}

Deno.test("TLS messages: each message is counted when its header is there, and one too many ends the reading", () => {
  const messages = new PeerMessages("client");
  let counted = 0;
  const begin = () => ++counted < 3;
  messages.read(Uint8Array.from([...TICKET, ...TICKET.slice(0, 3)]), 13, begin);
  assert.equal(counted, 1);
  messages.read(Uint8Array.from([...TICKET.slice(3)]), 7, begin);
  assert.equal(counted, 2);
  assert.equal(messages.read(Uint8Array.from(UPDATE), 5, begin), -Alert.UNEXPECTED_MESSAGE);
});

Deno.test("TLS messages: any bytes give the same results however they are divided", () => {
  const message = fc.constantFrom(UPDATE, REQUEST, TICKET, [4, 0, 0, 0], [24], [4, 0, 1, 0]);
  const bytes = fc.array(message, { maxLength: 6 }).map((parts) => parts.flat());
  fc.assert(fc.property(bytes, (all) => {
    const whole = new PeerMessages("client"), single = new PeerMessages("client");
    let singles = 0;
    for (const byte of all) {
      singles = single.read(Uint8Array.of(byte), 1, () => true);
      if (singles !== NOTHING) break;
    }
    const wholes = all.length === 0 ? NOTHING : whole.read(Uint8Array.from(all), all.length, () => true);
    // Only whole records show what stands behind a key update.
    if (wholes !== -Alert.UNEXPECTED_MESSAGE) assert.equal(singles, wholes);
    else return;
    assert.equal(single.isWithinMessage, whole.isWithinMessage);
  }));
});
