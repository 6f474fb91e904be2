/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/** A worker for tests whose thread runs a reactor. It answers messages of the test. */
import { Reactor } from "../reactor.ts";

const reactor = new Reactor({
  onError: (error) => self.postMessage(["error", String(error)]),
  onShed: () => {},
});

self.onmessage = ({ data: [what, ms] }: MessageEvent<[what: string, ms: number]>) => {
  reactor.messageReceived();
  switch (what) {
    case "echo":
      return self.postMessage(["echo"]);
    case "timer": {
      const before = reactor.turn;
      return reactor.after(ms, () => self.postMessage(["timer", reactor.turn - before]));
    }
    case "throw":
      return reactor.after(0, () => {
        throw new Error("from a callback");
      });
    case "stop":
      return reactor.stop();
  }
};

self.postMessage(["ready", reactor.wakeDescriptor]);
await reactor.run("own-thread");
self.postMessage(["stopped"]);
