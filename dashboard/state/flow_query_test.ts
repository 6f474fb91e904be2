import { strict as assert } from "node:assert";
import { ANY_FLOW, conditions, flowParameters, readFlowQuery } from "./flow_query.ts";

Deno.test("flow query: only conditions that are set become parameters, and they are read back", () => {
  const query = { ...ANY_FLOW, namespace: "shop", verdict: "denied" };
  assert.equal(`${flowParameters(query)}`, "namespace=shop&verdict=denied");
  assert.deepEqual(readFlowQuery(new URLSearchParams("verdict=denied&x=1&namespace=%20shop%20")), query);
  assert.deepEqual([conditions(query), conditions(ANY_FLOW)], [2, 0]);
});
