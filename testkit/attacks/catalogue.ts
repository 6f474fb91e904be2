/** The attacks of `docs/spec/observed.md` O26-O33, and known attacks on HTTP/2 that last until the connection is closed. */
import { FrameType } from "../../src/h2/frame.ts";
import { frame, ping, rst, setting, settings, settingsAck, windowUpdate } from "../../src/h2/testkit/frames.ts";
import { type Attack, authority, flood, pause } from "./attack.ts";
import * as hostile from "./frames.ts";
import { Peer } from "./peer.ts";

const INITIAL_WINDOW_SIZE = 4, HEADER_TABLE_SIZE = 1;
const PADDED = 8;
/** The proxy's limit of concurrent streams on a connection. */
const STREAMS = 200;

const DATA_ATTACKS: readonly Attack[] = [
  flood({
    id: "one-byte-data",
    row: "O26",
    what: "DATA frames of one byte to an application that reads",
    closeReason: null,
    async prepare(peer, scene) {
      const id = peer.tunnel(authority(scene, "sink"));
      await peer.until(() => peer.stream(id).status !== null);
      const chunk = hostile.copies(frame(FrameType.DATA, 0, id, [1]));
      return () => chunk;
    },
  }),
  flood({
    id: "padding",
    row: "O26",
    what: "DATA frames of one byte behind 255 bytes of padding",
    closeReason: null,
    async prepare(peer, scene) {
      const id = peer.tunnel(authority(scene, "sink"));
      await peer.until(() => peer.stream(id).status !== null);
      const chunk = hostile.copies(frame(FrameType.DATA, PADDED, id, [255, 1, ...new Array(255).fill(0)]));
      return () => chunk;
    },
  }),
  flood({
    id: "empty-data",
    row: "O33",
    what: "DATA frames without payload",
    closeReason: /^empty DATA frames above/,
    prepare(peer, scene) {
      const id = peer.tunnel(authority(scene, "idle"));
      const chunk = hostile.copies(frame(FrameType.DATA, 0, id));
      return () => chunk;
    },
  }),
  {
    id: "unread-streams",
    row: "O30",
    what: "eight streams whose applications do not read, with full windows",
    closeReason: null,
    async run(scene, until) {
      const peer = await Peer.connect(scene.site);
      const ids = Array.from({ length: 8 }, () => peer.tunnel(authority(scene, "idle")));
      await peer.until(() => ids.every((id) => peer.stream(id).status !== null));
      for (let sent = 0; sent < 4 << 20 && !until.aborted; sent += 16_384) {
        for (const id of ids) peer.send(frame(FrameType.DATA, 0, id, new Uint8Array(16_384)));
        await peer.drained(until);
      }
      while (!until.aborted && !peer.closed) await pause(100, until);
      return peer;
    },
  },
];

const STREAM_ATTACKS: readonly Attack[] = [
  flood({
    id: "dial-flood",
    row: "O27",
    what: "200 streams to an application that never answers, reset and opened again twice a second",
    closeReason: null,
    perSecond: 2,
    prepare(peer, scene) {
      const block = hostile.connectBlock(authority(scene, "full"));
      let open: number[] = [];
      return () => {
        const resets = open.map((id) => rst(id));
        open = Array.from({ length: STREAMS }, () => peer.newId());
        return hostile.join(...resets, ...open.map((id) => hostile.headers(id, block, false)));
      };
    },
  }),
  flood({
    id: "rapid-reset",
    row: "O27, CVE-2023-44487",
    what: "tunnels that are reset before the application has answered",
    closeReason: /^resets without an answer above/,
    prepare(peer, scene) {
      const block = hostile.connectBlock(authority(scene, "echo"));
      return hostile.requests(peer, (id) => hostile.openAndReset(id, block));
    },
  }),
  flood({
    id: "made-you-reset",
    row: "CVE-2025-8671",
    what: "tunnels that the proxy resets because the peer violates the protocol in them",
    closeReason: /^resets without an answer above/,
    prepare(peer, scene) {
      const block = hostile.connectBlock(authority(scene, "echo"));
      return hostile.requests(peer, (id) => [hostile.headers(id, block, false), windowUpdate(id, 0)]);
    },
  }),
  flood({
    id: "paced-resets",
    row: "O32",
    what: "400 tunnels a second, each reset before the application has answered",
    closeReason: null,
    perSecond: 40,
    prepare(peer, scene) {
      const block = hostile.connectBlock(authority(scene, "echo"));
      return hostile.requests(peer, (id) => hostile.openAndReset(id, block), 10);
    },
  }),
  flood({
    id: "baggage",
    row: "O52",
    what: "400 tunnels a second, each with other labels in its baggage",
    closeReason: null,
    perSecond: 40,
    prepare(peer, scene) {
      const place = authority(scene, "echo");
      return hostile.requests(peer, (id) => [hostile.headers(id, hostile.baggageBlock(place, id), true)], 10);
    },
  }),
  {
    id: "vanish",
    row: "O28",
    what: "100 tunnels with data that their applications do not read, then a reset of the connection",
    closeReason: null,
    async run(scene, until) {
      const peer = await Peer.connect(scene.site);
      const ids = Array.from({ length: 100 }, () => peer.tunnel(authority(scene, "idle")));
      await peer.until(() => ids.every((id) => peer.stream(id).status !== null));
      for (const id of ids) peer.send(frame(FrameType.DATA, 0, id, new Uint8Array(16_384)));
      await peer.drained(until);
      peer.close(true);
      await pause(200, until);
      return peer;
    },
  },
];

const HEADER_ATTACKS: readonly Attack[] = [
  flood({
    id: "refused-requests",
    row: "O32",
    what: "requests other than CONNECT, without credit for the responses",
    closeReason: /^resets without an answer above/,
    behaviour: { credit: false },
    prepare(peer) {
      const block = hostile.requestBlock();
      return hostile.requests(peer, (id) => [hostile.headers(id, block, true)]);
    },
  }),
  flood({
    id: "hpack-insert",
    row: "O32",
    what: "requests with 200 fields that each evict others from the dynamic table",
    closeReason: null,
    prepare(peer) {
      return hostile.requests(peer, (id) => {
        return [hostile.headers(id, hostile.requestBlock(...hostile.insertions(200, 30, id)), true)];
      });
    },
  }),
  flood({
    id: "hpack-index",
    row: "O32",
    what: "requests of 250 bytes with 240 fields, without credit for the responses",
    closeReason: /^resets without an answer above/,
    behaviour: { credit: false },
    prepare(peer) {
      const first = hostile.requestBlock(...hostile.insertions(1, 1, 0));
      peer.send(hostile.headers(peer.newId(), first, true));
      const block = hostile.requestBlock(...hostile.references(240));
      return hostile.requests(peer, (id) => [hostile.headers(id, block, true)]);
    },
  }),
  flood({
    id: "hpack-bomb",
    row: "O32",
    what: "requests with 200 references to an entry of 3 KB",
    closeReason: /^header list above 4 times/,
    prepare(peer) {
      const first = hostile.requestBlock(...hostile.insertions(1, 3000, 0));
      peer.send(hostile.headers(peer.newId(), first, true));
      const block = hostile.requestBlock(...hostile.references(200));
      return hostile.requests(peer, (id) => [hostile.headers(id, block, true)]);
    },
  }),
  flood({
    id: "cookie-crumbs",
    row: "O32",
    what: "requests with 5,000 cookie crumbs",
    closeReason: /^more than 1024 fields/,
    prepare(peer) {
      const block = hostile.requestBlock(...hostile.crumbs(5000));
      return hostile.requests(peer, (id) => [hostile.headers(id, block, true)]);
    },
  }),
  flood({
    id: "size-updates",
    row: "O33",
    what: "requests with 16,000 table size updates",
    closeReason: /table size updates/,
    prepare(peer) {
      const block = Uint8Array.from([...hostile.sizeUpdates(16_000), ...hostile.requestBlock()]);
      return hostile.requests(peer, (id) => [hostile.headers(id, block, true)]);
    },
  }),
  flood({
    id: "continuations",
    row: "CVE-2024-27316",
    what: "a header block that never ends",
    closeReason: /^more than 16 CONTINUATION frames/,
    prepare(peer) {
      const id = peer.newId();
      peer.send(frame(FrameType.HEADERS, 0, id, hostile.requestBlock()));
      const chunk = hostile.copies(frame(FrameType.CONTINUATION, 0, id, [0, 1, 120, 1, 121]));
      return () => chunk;
    },
  }),
];

/** An attack that repeats one chunk. */
function repeat(
  id: string,
  row: string,
  what: string,
  closeReason: RegExp | null,
  ...frames: readonly Uint8Array[]
): Attack {
  const chunk = hostile.copies(...frames);
  return flood({ id, row, what, closeReason, prepare: () => () => chunk });
}

const CONTROL_ATTACKS: readonly Attack[] = [
  repeat("ping", "O33", "PING frames", /^PING frames above/, ping()),
  repeat(
    "ping-ack",
    "O33",
    "acknowledgements of PING frames that the proxy did not send",
    /^PING frames above/,
    ping(true),
  ),
  repeat("settings", "O32, O33", "SETTINGS frames", /^SETTINGS frames above/, settings(setting(HEADER_TABLE_SIZE, 0))),
  repeat(
    "settings-ack",
    "O33",
    "acknowledgements of SETTINGS that the proxy did not send",
    /^SETTINGS frames above/,
    settingsAck(),
  ),
  repeat("priority", "CVE-2019-9513", "PRIORITY frames", /^other control frames above/, priority(1)),
  repeat("unknown-frames", "O33", "frames of an unknown type", /^other control frames above/, frame(99, 0, 0)),
  repeat("window-updates", "O33", "needless window updates", /^WINDOW_UPDATE frames above/, windowUpdate(0, 1)),
  flood({
    id: "settings-flap",
    row: "O32",
    what: "SETTINGS that raise and lower the windows of 200 streams",
    closeReason: /^SETTINGS frames above/,
    prepare(peer, scene) {
      for (let i = 0; i < STREAMS; i++) peer.tunnel(authority(scene, "idle"));
      const up = settings(setting(INITIAL_WINDOW_SIZE, 1 << 20)), down = settings(setting(INITIAL_WINDOW_SIZE, 0));
      const chunk = hostile.copies(up, down);
      return () => chunk;
    },
  }),
  flood({
    id: "paced-settings-flap",
    row: "O32",
    what: "the same eight times a second, which is allowed",
    closeReason: null,
    perSecond: 8,
    prepare(peer, scene) {
      for (let i = 0; i < STREAMS; i++) peer.tunnel(authority(scene, "idle"));
      let size = 0;
      return () => settings(setting(INITIAL_WINDOW_SIZE, size = size === 0 ? 1 << 20 : 0));
    },
  }),
  flood({
    id: "small-windows",
    row: "O32",
    what: "an echo with credit for one byte at a time",
    closeReason: /^WINDOW_UPDATE frames above/,
    behaviour: { credit: false, settings: setting(INITIAL_WINDOW_SIZE, 0) },
    async prepare(peer, scene) {
      const id = peer.tunnel(authority(scene, "echo"));
      await peer.until(() => peer.stream(id).status !== null);
      const chunk = hostile.copies(frame(FrameType.DATA, 0, id, [1]), windowUpdate(id, 1), windowUpdate(0, 1));
      return () => chunk;
    },
  }),
];

function priority(id: number): Uint8Array {
  return frame(FrameType.PRIORITY, 0, id, [0, 0, 0, 3, 1]);
}

/** All attacks. */
export const ATTACKS: readonly Attack[] = [...DATA_ATTACKS, ...STREAM_ATTACKS, ...HEADER_ATTACKS, ...CONTROL_ATTACKS];
