/** Two networks, one with our proxy and one with the Rust ztunnel, and a gateway: double HBONE in both directions. */
import { doubleHboneSteps } from "../../testkit/double_hbone_steps.ts";
import { testNeeding } from "../../lab/needs.ts";
import { NEEDS, TwoNetworksBed } from "../../testkit/two_networks.ts";

const RUST = Deno.env.get("ZTUNNEL_PEER");

for (
  const [who, rust] of [
    ["ours calls the Rust ztunnel", 2],
    ["the Rust ztunnel calls ours", 1],
  ] as const
) {
  testNeeding({ ...NEEDS, env: ["ZTUNNEL_PEER"] }, `ztunnel: ${who}: double HBONE`, async (t) => {
    await using bed = await TwoNetworksBed.build({ [rust]: RUST });
    await doubleHboneSteps(t, bed);
  });
}
