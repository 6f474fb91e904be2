import { strict as assert } from "node:assert";
import { connect } from "node:http2";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";

const HEADERS_FRAME = 1;
const SETTINGS_FRAME = 4;
const PREFACE_LENGTH = 24;

/** A server with just enough HTTP/2 to answer every HEADERS frame, with our HPACK. */
async function answer(conn: Deno.TcpConn, seen: unknown[]): Promise<void> {
  const decoder = new HpackDecoder({ maxTableSize: 4096, maxListSize: 16384 });
  const encoder = new HpackEncoder();
  const reader = conn.readable.getReader();
  const writer = conn.writable.getWriter();
  await writer.write(frame(SETTINGS_FRAME, 0, 0, []));
  let bytes: Uint8Array = new Uint8Array();
  let at = PREFACE_LENGTH;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    bytes = Uint8Array.of(...bytes, ...read.value);
    while (bytes.length >= at + 9) {
      const view = new DataView(bytes.buffer, at);
      const end = at + 9 + (view.getUint32(0) >>> 8);
      if (bytes.length < end) break;
      if (view.getUint8(3) === HEADERS_FRAME) {
        seen.push(decoder.decode(bytes, at + 9, end));
        const block = new Uint8Array(300);
        const length = encoder.encode([[":status", "200"], ["baggage", "service.name=web"]], block, 0);
        await writer.write(frame(HEADERS_FRAME, 0x4, view.getUint32(5), block.subarray(0, length)));
      }
      at = end;
    }
  }
}

function frame(type: number, flags: number, stream: number, payload: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(9 + payload.length);
  new DataView(bytes.buffer).setUint32(0, payload.length << 8 | type);
  bytes[4] = flags;
  new DataView(bytes.buffer).setUint32(5, stream);
  bytes.set(payload, 9);
  return bytes;
}

Deno.test("hpack: decodes the CONNECT of node:http2, which decodes our response", async () => {
  const seen: unknown[] = [];
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const client = connect(`http://127.0.0.1:${listener.addr.port}`);
  const served = accepted.then((conn) => answer(conn, seen));
  for (let n = 0; n < 3; n++) {
    const headers = {
      ":method": "CONNECT",
      ":authority": "10.0.0.1:8080",
      baggage: "service.name=web",
      forwarded: `for=${n}`,
    };
    const stream = client.request(headers);
    const response = await new Promise<Record<string, unknown>>((done) => stream.once("response", done));
    assert.deepEqual([response[":status"], response["baggage"]], [200, "service.name=web"]);
    assert.deepEqual(Object.fromEntries(seen[n] as [string, string][]), headers);
  }
  client.destroy();
  await served.catch(() => {});
});
