import { strict as assert } from "node:assert";
import { dataOf } from "./record_limits.ts";
import { RecordSender } from "./record_sender.ts";
import { ALERT, DATA, HANDSHAKE, joined, RecordEnds, REQUEST, UPDATE } from "./testkit/record_ends.ts";
import { Alert } from "./tls_alerts.ts";

/** Bytes of a packet that is divided into whole segments, for an MTU of 1500. */
const UNIT = 65_160;
const bytes = (count: number) => new Uint8Array(count).map((_, i) => i * 31 + (i >> 8));

/** Returns all records of `data`, one array for each unit. */
function sent(sender: RecordSender, data: Uint8Array): Uint8Array[] {
  const into = new Uint8Array(65_536), units: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += sender.taken) units.push(into.slice(0, sender.sealData(data, at, into)));
  return units;
}

Deno.test("record sender: records fill units without a rest, and hold all data", () => {
  using ends = new RecordEnds();
  const sender = new RecordSender(ends.cipher("send"), UNIT);
  const data = bytes(1_000_000), units = sent(sender, data);
  assert.deepEqual(units.slice(0, -1).map(({ length }) => length), Array(15).fill(UNIT));
  const records = ends.opened(joined(...units));
  assert.ok(records.every(({ type }) => type === DATA));
  assert.deepEqual(joined(...records.map(({ content }) => content)).toHex(), data.toHex());
  sender.free();
});

Deno.test("record sender: the data of a unit fills it, but for less than a byte a record", () => {
  for (const unit of [UNIT, 65_036, 65_535, 16_406, 16_407, 1448]) {
    using ends = new RecordEnds();
    const sender = new RecordSender(ends.cipher("send"), unit);
    const lengths = sent(sender, bytes(dataOf(unit))).map(({ length }) => length);
    assert.equal(lengths.length, 1);
    assert.ok(unit - lengths[0]! < 4, `${lengths[0]} of ${unit}`);
    sender.free();
  }
});

Deno.test("record sender: no record has more than 2^14 bytes of data, whatever the unit", () => {
  for (const unit of [1, 500, 1448, 16_406, 16_407, 62_636, 65_483, 65_535]) {
    using ends = new RecordEnds();
    const sender = new RecordSender(ends.cipher("send"), unit);
    const units = sent(sender, bytes(200_000));
    assert.ok(units.every(({ length }) => length <= Math.max(unit, 50)), `unit ${unit}`);
    const records = ends.opened(joined(...units));
    assert.ok(records.every(({ content }) => content.length <= 16_384));
    assert.equal(joined(...records.map(({ content }) => content)).toHex(), bytes(200_000).toHex());
    sender.free();
  }
});

Deno.test("record sender: an owed key update goes before the next data, once, and changes the key", () => {
  using ends = new RecordEnds();
  const sender = new RecordSender(ends.cipher("send"), UNIT);
  const first = sent(sender, bytes(5));
  for (const update of ["nothing", "update", "nothing", "update"] as const) sender.owe(update);
  const second = sent(sender, bytes(100_000));
  for (const update of ["update", "request", "update"] as const) sender.owe(update);
  const third = sent(sender, bytes(5));
  assert.equal(second[0]!.length, UNIT);
  const records = ends.opened(joined(...first, ...second, ...third));
  const messages = records.filter(({ type }) => type === HANDSHAKE).map(({ content }) => content);
  assert.deepEqual(messages, [UPDATE, REQUEST]);
  assert.deepEqual(records.map(({ type }) => type), [DATA, HANDSHAKE, ...Array(7).fill(DATA), HANDSHAKE, DATA]);
  sender.free();
});

Deno.test("record sender: a key is replaced before it protects more records than allowed", () => {
  using ends = new RecordEnds();
  const sender = new RecordSender(ends.cipher("send"), UNIT, 10);
  const records = ends.opened(joined(...Array.from({ length: 35 }, () => sent(sender, bytes(1))).flat()));
  const groups = records.map(({ type }) => type === HANDSHAKE ? "|" : ".").join("");
  assert.equal(groups, "..........|..........|..........|.....");
  sender.free();
});

Deno.test("record sender: an alert is the last record, of the level that belongs to it", () => {
  for (const [alert, level] of [[Alert.CLOSE_NOTIFY, 1], [Alert.BAD_RECORD_MAC, 2]] as const) {
    using ends = new RecordEnds();
    const sender = new RecordSender(ends.cipher("send"), UNIT);
    sender.owe("update");
    const into = new Uint8Array(100);
    const end = sender.sealAlert(alert, into, 0);
    assert.deepEqual(ends.opened(into.slice(0, end)), [{ type: ALERT, content: Uint8Array.of(level, alert) }]);
    assert.equal(sender.isClosed, true);
    assert.equal(sender.sealAlert(Alert.CLOSE_NOTIFY, into, 7), 7);
    assert.throws(() => sender.sealData(bytes(1), 0, into), /behind the end/);
    sender.free();
  }
});

Deno.test("record sender: a freed one makes no record", () => {
  using ends = new RecordEnds();
  const sender = new RecordSender(ends.cipher("send"), UNIT);
  sender.free();
  assert.throws(() => sender.sealData(bytes(1), 0, new Uint8Array(100)), /behind the end/);
  assert.equal(sender.sealAlert(Alert.CLOSE_NOTIFY, new Uint8Array(100), 0), 0);
});
