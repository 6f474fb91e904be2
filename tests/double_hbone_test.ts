/** Two networks, each with our proxy, and a foreign gateway between them (`docs/spec/dataplane.md` 1.6). */
import { doubleHboneSteps } from "../testkit/double_hbone_steps.ts";
import { testNeeding } from "../lab/needs.ts";
import { NEEDS, TwoNetworksBed } from "../testkit/two_networks.ts";

testNeeding(NEEDS, "double HBONE: ours on both sides", async (t) => {
  await using bed = await TwoNetworksBed.build();
  await doubleHboneSteps(t, bed);
});
