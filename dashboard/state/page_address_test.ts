import { strict as assert } from "node:assert";
import { formatAddress, parseAddress, viewByKey, VIEWS } from "./page_address.ts";

Deno.test("page address: view and parameters, and back", () => {
  const { view, parameters } = parseAddress("#flows?namespace=shop&verdict=denied");
  assert.deepEqual([view, parameters.get("verdict")], ["flows", "denied"]);
  assert.equal(formatAddress("flows", { namespace: "a b", verdict: "" }), "#flows?namespace=a+b");
  for (const hash of ["", "#", "#nothing", "#/node"]) assert.equal(parseAddress(hash).view, "node", hash);
});

Deno.test("page address: arrow keys go round, Home and End to the ends", () => {
  assert.deepEqual([viewByKey("node", "ArrowLeft"), viewByKey("explain", "ArrowRight")], ["explain", "node"]);
  assert.deepEqual([viewByKey("map", "Home"), viewByKey("map", "End"), viewByKey("map", "x")], [
    "node",
    "explain",
    null,
  ]);
  assert.equal(VIEWS.length, 8);
});
