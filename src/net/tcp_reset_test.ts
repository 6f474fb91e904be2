import { strict as assert } from "node:assert";
import { parseSocketAddress, type SocketAddress } from "./address.ts";
import { AF_INET, SOCK_RAW } from "../os/constants.ts";
import { EADDRNOTAVAIL } from "../os/errno.ts";
import { libc } from "../os/libc_sockets.ts";
import { countSystemFolder } from "../os/system_files.ts";
import { encodeSockaddr } from "./sockaddr.ts";
import { makeSocket } from "./socket_options.ts";
import { testNeeding } from "../../lab/needs.ts";
import { MemoryScheduler } from "./testkit/memory_scheduler.ts";
import { resetSegment, TcpResets } from "./tcp_reset.ts";

function at(text: string): SocketAddress {
  const address = parseSocketAddress(text);
  assert.ok(address !== null, text);
  return address;
}

/** The one's complement sum of 16-bit words (RFC 1071). */
function sumOf(bytes: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i]! * 256 + bytes[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

Deno.test("reset segment: header of RFC 9293 with a checksum over the addresses", () => {
  const bytes = resetSegment(at("10.1.0.2:7000"), at("10.200.0.9:51480"), 0x5f108872, 0xfedcba98);
  assert.deepEqual([...bytes.subarray(0, 16)], [
    ...[0x1b, 0x58, 0xc9, 0x18],
    ...[0x5f, 0x10, 0x88, 0x72],
    ...[0xfe, 0xdc, 0xba, 0x98],
    ...[0x50, 0x14, 0, 0],
  ]);
  assert.equal(sumOf([10, 1, 0, 2, 10, 200, 0, 9, 0, 6, 0, 20, ...bytes]), 0xffff);
});

Deno.test("reset segment: the pseudo header of IPv6", () => {
  const bytes = resetSegment(at("[fd01::2]:80"), at("[fd20::9]:40000"), 1, 2);
  const pseudo = [0xfd, 0x01, ...new Array(13).fill(0), 2, 0xfd, 0x20, ...new Array(13).fill(0), 9, 0, 20, 0, 6];
  assert.equal(sumOf([...pseudo, ...bytes]), 0xffff);
});

/** Counts the resets that arrive at an address of loopback. */
class Receiver implements Disposable {
  readonly #fd = makeSocket(AF_INET, SOCK_RAW, {}, 6);
  readonly #packet = new Uint8Array(1500);

  constructor(at: SocketAddress) {
    const name = encodeSockaddr({ ip: at.ip, port: 0 }).slice();
    assert.equal(libc.bind(this.#fd, name, name.length), 0);
  }

  /** Since the last call. */
  take(): number {
    let count = 0;
    while (libc.read(this.#fd, this.#packet, this.#packet.length) > 0) count++;
    return count;
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }
}

/** Addresses of this process: a raw socket receives what other processes send to its address, too. */
const HOST = `127.${128 + (Deno.pid >> 16) % 128}.${(Deno.pid >> 8) & 255}.${Deno.pid & 255}`;
const FROM = at(`${HOST}:80`), TO = at(`${HOST}:40000`);
const SEQUENCE = { unacknowledged: 7, next: 9, expected: 3 };
const descriptors = () => countSystemFolder("/proc/self/fd");

testNeeding({ root: true }, "resets: both numbers are sent at once, after one second and after three", () => {
  using receiver = new Receiver(TO);
  const clock = new MemoryScheduler(), resets = new TcpResets(clock), before = descriptors();
  assert.equal(resets.send(FROM, TO, SEQUENCE, {}), 0);
  const arrived = [receiver.take()];
  for (const ms of [999, 1, 1999, 1, 60_000]) {
    clock.advance(ms);
    arrived.push(receiver.take());
  }
  assert.deepEqual(arrived, [2, 0, 2, 0, 2, 0]);
  assert.equal(descriptors(), before);
});

testNeeding({ root: true }, "resets: beyond 64 connections nothing is sent again", () => {
  using receiver = new Receiver(TO);
  const clock = new MemoryScheduler(), resets = new TcpResets(clock);
  for (let i = 0; i < 70; i++) {
    assert.equal(resets.send(FROM, TO, SEQUENCE, {}), 0);
    assert.equal(receiver.take(), 2);
  }
  clock.advance(1000);
  assert.equal(receiver.take(), 128);
  resets.close();
});

testNeeding({ root: true }, "resets: after close nothing is sent, and no descriptor is left", () => {
  using receiver = new Receiver(TO);
  const clock = new MemoryScheduler(), resets = new TcpResets(clock), before = descriptors();
  assert.equal(resets.send(FROM, TO, SEQUENCE, {}), 0);
  assert.equal(receiver.take(), 2);
  resets.close();
  assert.equal(descriptors(), before);
  clock.advance(60_000);
  assert.equal(receiver.take(), 0);
});

testNeeding({ root: true }, "resets: an address that is not here is an error, and leaves no descriptor", () => {
  const resets = new TcpResets(new MemoryScheduler()), before = descriptors();
  assert.equal(resets.send(at("192.0.2.1:80"), TO, SEQUENCE, {}), EADDRNOTAVAIL);
  assert.equal(descriptors(), before);
});
