/**
 * Connections through a proxy of ours and a Rust ztunnel, in both directions, end as they end directly, except for what
 * a Rust ztunnel changes: `expectedWith` lists it.
 *
 * Not compared are clients that reset while the tunnel is being set up (`early`): a Rust ztunnel may then neither dial
 * the server nor pass on what the client sent, so the server sees a connection or none.
 */
import { DEDICATED_WITH_RUST, WITH_RUST } from "../../testkit/application_routes.ts";
import { AS_DIRECT, type Ending, type Expectation, type Seen, testEndings } from "../../testkit/endings.ts";
import { ENDINGS } from "../apps/endings.ts";

const COMPARED = ENDINGS.filter(({ special }) => special !== "early");

for (const route of [...WITH_RUST, ...DEDICATED_WITH_RUST]) testEndings(route, COMPARED, expectedWith(route.rust));

/** `rust`: the side with the Rust ztunnel. */
function expectedWith(rust: "client" | "server"): Expectation {
  return (ending, direct) => {
    const ours = AS_DIRECT(ending, direct);
    const kept = ours.allowed[0]!, lost = { client: asEnd(kept.client), server: asEnd(kept.server) };
    switch (ending.special) {
      case "urgent":
        return sender(ending) === rust ? { allowed: [direct] } : ours;
      case "dial":
        return { allowed: [kept, lost], why: "a Rust ztunnel may end a client whose server could not be reached" };
      default:
        return isSame(kept, lost) ? ours : { allowed: [lost], why: "a Rust ztunnel passes a reset on as an end" };
    }
  };
}

const asEnd = (seen: string) => seen.replace("RST", "FIN");
const isSame = (a: Seen, b: Seen) => a.client === b.client && a.server === b.server;
const sender = ({ client }: Ending) => client.includes("urgent") ? "client" : "server";
