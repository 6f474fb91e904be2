/** What the client and the server of a connection do, in each case: scripts of `tests/fixtures/endings.c`. */
import type { Ending } from "../../testkit/endings.ts";

const BULK = 5_000_000;

export const ENDINGS: readonly Ending[] = [
  // Ends of both directions, one after the other.
  { name: "request, end, answer, end", client: "w100 fin end", server: "end w200 close" },
  { name: "the server ends first", client: "end w100 close", server: "w200 fin end" },
  { name: "both end at once", client: "w10 fin end", server: "w10 fin end" },
  { name: "the client closes after a request", client: "w100 close", server: "end" },
  { name: "the server closes after an answer", client: "end", server: "w200 close" },
  { name: "a large request, then its end", client: `w${BULK} close`, server: "end" },
  { name: "a large answer, then its end", client: "w1 end", server: `r1 w${BULK} close` },
  { name: "a large request, end, a large answer", client: `w${BULK} fin end`, server: `end w${BULK} close` },
  { name: "the server ends first, then a large request", client: `end w${BULK} close`, server: "w1 fin end" },
  { name: "the client ends first, then a large answer", client: "fin end", server: `end w${BULK} close` },
  { name: "the client shuts down both directions", client: "r1 w100 both", server: "w1 end" },
  { name: "the server shuts down both directions", client: "w1 end", server: "r1 w100 both" },

  // Not a byte.
  { name: "zero bytes, the client closes", client: "close", server: "end" },
  { name: "zero bytes, the server closes", client: "end", server: "close" },
  { name: "zero bytes, the client ends first", client: "fin end", server: "end close" },
  { name: "zero bytes, the server ends first", client: "end close", server: "fin end" },

  // The dial of the server's proxy fails, or is reset before that proxy has seen it succeed.
  {
    name: "nobody listens",
    client: "end",
    server: "absent",
    differs: { seen: { client: "0 RST", server: "" }, why: "the client's proxy accepts first" },
    special: "dial",
  },
  { name: "the server resets at once", client: "end", server: "reset", special: "dial" },

  // The receivers read without SO_OOBINLINE, so the byte is not among their data when it is still urgent.
  {
    name: "the client sends an urgent byte",
    client: "w10 urgent w10 fin end",
    server: "end close",
    differs: { seen: { client: "0 FIN", server: "21 FIN" }, why: "urgent data become ordinary data" },
    special: "urgent",
  },
  {
    name: "the server sends an urgent byte",
    client: "fin end",
    server: "end w10 urgent w10 close",
    differs: { seen: { client: "21 FIN", server: "0 FIN" }, why: "urgent data become ordinary data" },
    special: "urgent",
  },

  // SO_LINGER 0.
  { name: "the client resets", client: "r1 reset", server: "w1 end" },
  { name: "the server resets", client: "w1 end", server: "r1 reset" },
  { name: "the client sends and resets at once", client: "w100 reset", server: "end", special: "early" },
  { name: "the client sends much and resets at once", client: `w${BULK} reset`, server: "kind", special: "early" },
  { name: "the client resets after a request", client: "w1000 r1 reset", server: "r1000 w1 end" },
  { name: "the server resets after an answer", client: "w1 r1000 w1 end", server: "r1 w1000 r1 reset" },
  { name: "the client resets within a large request", client: `r1 w${BULK} reset`, server: "w1 kind" },
  { name: "the server resets within a large answer", client: "w1 kind", server: `r1 w${BULK} reset` },
  { name: "the client resets after the end of the server", client: "end reset", server: "w10 fin hup end" },
  { name: "the server resets after the end of the client", client: "w10 fin hup end", server: "end reset" },

  // The kernel resets when unread data are thrown away.
  { name: "the client closes with unread data", client: "pile100 close", server: "w100 end" },
  { name: "the server closes with unread data", client: "w100 end", server: "pile100 close" },
  { name: "the client exits with unread data", client: "pile100 exit", server: "w100 end" },
  { name: "the server exits with unread data", client: "w100 end", server: "pile100 exit" },
  { name: "the client crashes with unread data", client: "pile100 die", server: "w100 end" },
  { name: "the server crashes with unread data", client: "w100 end", server: "pile100 die" },
  { name: "the client closes while the server sends", client: "r100 close", server: "flood" },
  { name: "the server closes while the client sends", client: "flood", server: "r100 close" },
  { name: "the client crashes while the server sends", client: "r100 die", server: "flood" },
  { name: "the server crashes while the client sends", client: "flood", server: "r100 die" },

  // Exit and crash with everything read.
  { name: "the client exits", client: "r1 exit", server: "w1 end" },
  { name: "the server exits", client: "w1 end", server: "r1 exit" },
  { name: "the client crashes", client: "r1 die", server: "w1 end" },
  { name: "the server crashes", client: "w1 end", server: "r1 die" },
  { name: "the client crashes with a large request on its way", client: `r1 w${BULK} die`, server: "w1 end" },
  { name: "the server crashes with a large answer on its way", client: "w1 end", server: `r1 w${BULK} die` },

  // One direction has ended, and the application that reads the other one is gone.
  { name: "the server ends, reads and crashes", client: "end w5 flood", server: "w10 fin r5 die" },
  { name: "the client ends, reads and crashes", client: "w10 fin r5 die", server: "end w5 flood" },
  { name: "the server shuts down both, the client sends", client: "w1 end flood", server: "r1 both hup" },
  { name: "the client shuts down both, the server sends", client: "r1 both hup", server: "w1 end flood" },
];
