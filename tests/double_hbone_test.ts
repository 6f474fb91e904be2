/** Two networks with a proxy of ours on each, and a gateway that is not ours between them (`docs/spec/dataplane.md` 1.6). */
import { doubleHboneSteps } from "./support/double_hbone_steps.ts";
import { testNeeding } from "./support/needs.ts";
import { NEEDS, TwoNetworksBed } from "./support/two_networks.ts";

testNeeding(NEEDS, "double HBONE: ours on both sides", async (t) => {
  await using bed = await TwoNetworksBed.build();
  await doubleHboneSteps(t, bed);
});
