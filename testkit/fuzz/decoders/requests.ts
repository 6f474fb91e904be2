/** Requests of clients: SOCKS5, and HTTP/1 to the ports of the proxy itself. */
import { HEAD_MAX, parseRequestHead } from "../../../src/admin/request_head.ts";
import { Socks5Negotiation } from "../../../src/proxy/socks5.ts";
import { type FuzzedDecoder, holds } from "../decoder.ts";

const socks5: FuzzedDecoder = {
  name: "socks5",
  run(input) {
    const negotiation = new Socks5Negotiation();
    const piece = 1 + (input[input.length - 1] ?? 0);
    for (let at = 0; at < input.length; at += piece) {
      const step = negotiation.feed(input.subarray(at, at + piece));
      holds(step.reply.length <= 2 + 22, "a reply is as short as the protocol says");
      if (step.at === "requested") holds(step.rest.length <= piece, "the rest is no longer than what was sent last");
      if (step.at !== "needs more") return;
      holds(at < 1000, "an answer comes before a thousand bytes");
    }
    negotiation.interrupted();
  },
};

const requestHead: FuzzedDecoder = {
  name: "http1-request",
  run(input) {
    const result = parseRequestHead(input);
    if (result.kind === "incomplete") holds(input.length < HEAD_MAX, "the head is bounded");
    if (result.kind === "head") holds(result.size <= Math.min(input.length, HEAD_MAX), "the head is bounded");
  },
};

/** The decoders of this file. */
export const REQUEST_DECODERS: readonly FuzzedDecoder[] = [socks5, requestHead];
