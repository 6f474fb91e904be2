/**
 * A plain TCP server for h2spec: `deno run -A src/h2/testkit/h2spec_server.ts [port]`, then
 * `h2spec -h 127.0.0.1 -p <port>`. Answers every request with 200 and a short body. `--verbose` logs, `--small-frames`
 * announces the smallest frame size.
 */
import { type AddressInfo, createServer } from "node:net";
import { MIN_FRAME_SIZE } from "../frame.ts";
import { defaultOptions } from "../limits.ts";
import type { Stream, StreamHandler } from "../seam.ts";
import { SocketDriver } from "./socket.ts";

const BODY = new TextEncoder().encode("h2spec needs a body of some length\n");
const nothing = () => {};

function respond(stream: Stream): void {
  let at = 0;
  const send = () => {
    while (at < BODY.length) {
      const room = stream.reserve(BODY.length - at, 1 << 20);
      if (room === null) return;
      const length = Math.min(room.segments[1]!, BODY.length - at);
      room.bytes.set(BODY.subarray(at, at + length), room.segments[0]);
      at += length;
      stream.commit(length, at === BODY.length);
    }
  };
  stream.respond([[":status", "200"], ["content-type", "text/plain"]], false);
  send();
  stream.handler = { ...IGNORE, onSendReady: send, onData: (_bytes, start, end) => stream.release(end - start) };
}

const IGNORE: StreamHandler = {
  onResponse: nothing,
  onData: nothing,
  onEnd: nothing,
  onFlush: nothing,
  onSendReady: nothing,
  onReset: nothing,
};

const verbose = Deno.args.includes("--verbose");
const defaults = defaultOptions("server");
const options = Deno.args.includes("--small-frames") ? { ...defaults, maxFrameSize: MIN_FRAME_SIZE } : defaults;
const server = createServer((socket) => {
  new SocketDriver(socket, options, {
    onRequest(stream, headers, end) {
      if (verbose) console.log("request", stream.id, headers, end);
      if (end) return respond(stream);
      stream.handler = {
        ...IGNORE,
        onData: (_bytes, start, stop) => stream.release(stop - start),
        onEnd: () => respond(stream),
        onReset: (failure) => verbose && console.log("reset", stream.id, failure),
      };
    },
    onOutput: nothing,
    onSettings: nothing,
    onGoAway: nothing,
    onEnd: (failure) => verbose && console.log("end", failure),
  });
});
server.listen(Number(Deno.args[0] ?? 0), "127.0.0.1", () => {
  console.log(`port ${(server.address() as AddressInfo).port}`);
});
