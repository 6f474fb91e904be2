/** HTTP/2: header blocks, and the frames that a peer sends to a server and to a client. */
import { BufferPool } from "../../../src/h2/buffer_pool.ts";
import { H2Connection } from "../../../src/h2/connection.ts";
import { PREFACE } from "../../../src/h2/frame.ts";
import { HeldBytes } from "../../../src/h2/held_bytes.ts";
import { HpackDecoder, isFault } from "../../../src/h2/hpack/decoder.ts";
import { MAX_FIELDS } from "../../../src/h2/hpack/field_collector.ts";
import { defaultOptions } from "../../../src/h2/limits.ts";
import { makeH2Memory } from "../../../src/h2/memory.ts";
import { CONNECT, EndpointLog, OK, StreamLog } from "../../../src/h2/testkit/pair.ts";
import { type FuzzedDecoder, holds } from "../decoder.ts";

const MAX_LIST = 16_384, TABLE = 4096;
/** Bytes that a connection may queue for the control frames that a peer causes, with room for the last frames. */
const MAX_OUTPUT = 65_536 + 16_384;

const hpack: FuzzedDecoder = {
  name: "hpack",
  run(input) {
    const decoder = new HpackDecoder({ maxTableSize: TABLE, maxListSize: MAX_LIST });
    // The second block of a connection finds the entries that the first has added.
    for (let blocks = 0; blocks < 2; blocks++) {
      const list = decoder.decode(input, 0, input.length);
      holds(decoder.tableState.size <= TABLE, "the dynamic table keeps its limit");
      if (isFault(list)) {
        if (list.fault === "malformed" || list.fault === "too-large") continue;
        return;
      }
      holds(list.length <= MAX_FIELDS, "a list has at most MAX_FIELDS fields");
      let size = 0;
      for (const [name, value] of list) {
        size += name.length + value.length + 32;
        holds(!/[\0\r\n]/.test(name + value), "no field contains NUL, CR or LF");
      }
      holds(size <= MAX_LIST, "a list keeps its limit");
    }
  },
};

/** The bytes after the preface go to a server, those of a client's peer to a client that has opened a stream. */
function connection(role: "client" | "server"): FuzzedDecoder {
  const memory = makeH2Memory(new BufferPool(), new HeldBytes(1 << 20));
  return {
    name: `h2-${role}`,
    run(input) {
      const log = new EndpointLog();
      log.answer = answer;
      const connection = new H2Connection({ ...defaultOptions(role), peer: "peer" }, log, memory, NOW);
      if (role === "server") connection.receive(PREFACE, 0, PREFACE.length, NOW);
      else openStream(connection);
      receiveInPieces(connection, input);
      holds(connection.streamCount <= 200, "a peer opens at most as many streams as it was allowed");
      let written = 0;
      connection.flushTo({ write: (bytes) => (written += bytes.length, bytes.length) });
      holds(written <= MAX_OUTPUT, "the output for what a peer sent is bounded");
      connection.tick(NOW + 60_000);
      finishWork(connection);
      connection.transportEnded("the input has ended");
      finishWork(connection);
      holds(connection.ended && connection.streamCount === 0, "no stream is left after the end of the transport");
      holds(log.end !== null, "the owner was notified of the end");
      holds(memory.held.total === 0 && memory.windows.granted === 0, "nothing is counted after the end");
      holds(memory.output.lentBytes === 0, "the output buffer is returned");
    },
  };
}

const NOW = 1000;

/** Every other stream of a peer belongs to an application that reads nothing. */
function answer(log: StreamLog): void {
  log.keep = false;
  log.autoRelease = log.stream.id % 4 === 1;
  log.stream.respond(OK, false);
}

function openStream(connection: H2Connection): void {
  const handler = new StreamLog();
  const stream = connection.open(CONNECT, handler);
  holds(stream !== null, "a new client can open a stream");
  handler.stream = stream!;
}

/** Pieces of a few or all bytes, by the sum of the bytes. */
function receiveInPieces(connection: H2Connection, input: Uint8Array): void {
  const least = 1 + (input.length >> 8);
  const piece = [input.length, input.length, 7 * least, least][input.reduce((sum, byte) => sum + byte, 0) & 3]!;
  for (let at = 0; at < input.length && !connection.ended; at += piece) {
    connection.receive(input, at, Math.min(input.length, at + piece), NOW);
    finishWork(connection);
  }
}

function finishWork(connection: H2Connection): void {
  for (let passes = 0; connection.hasPendingWork; passes++) {
    holds(passes < 100_000, "the work of a connection ends");
    connection.resume(NOW);
  }
}

/** The decoders of this file. */
export const H2_DECODERS: readonly FuzzedDecoder[] = [hpack, connection("server"), connection("client")];
