/** Decides from TCP's counters whether a network path loses so many packets that losses limit a connection's rate. */
import type { SegmentCounts } from "../net/network_path.ts";

/** Segments of one direction that a verdict needs. */
const SAMPLE = 500;
/**
 * Share of segments that are sent again. CUBIC and Reno send 1.2 / sqrt(share) segments in a round trip on average: 22
 * of them at this share. A queue that overflows because of the connection itself drops fewer.
 */
const LOST = 0.003;
/**
 * Share of received segments that arrive while an earlier one is missing. A lost one is followed by up to a round trip
 * of these, so this is the product of {@link LOST} and 22.
 */
const OUT_OF_ORDER = 0.066;
/** Samples in succession with losses: at the start of a transfer, the sender's first overshoot loses many at once. */
const SAMPLES = 2;

const NONE: SegmentCounts = { sent: 0, retransmitted: 0, received: 0, outOfOrder: 0 };

/** Judges one connection. */
export class PathLoss {
  #before = NONE;
  #lossySamples = 0;

  /** `counts`: the connection's counters now. Returns whether the last two samples had losses. */
  isLossy(counts: SegmentCounts): boolean {
    const before = this.#before;
    const sent = since(counts.sent, before.sent), received = since(counts.received, before.received);
    if (sent < SAMPLE && received < SAMPLE) return this.#lossySamples >= SAMPLES;
    this.#before = counts;
    const lost = sent >= SAMPLE && since(counts.retransmitted, before.retransmitted) >= LOST * sent;
    const disordered = received >= SAMPLE && since(counts.outOfOrder, before.outOfOrder) >= OUT_OF_ORDER * received;
    this.#lossySamples = lost || disordered ? this.#lossySamples + 1 : 0;
    return this.#lossySamples >= SAMPLES;
  }
}

/** The counters wrap at 2^32. */
function since(now: number, before: number): number {
  return (now - before) >>> 0;
}
