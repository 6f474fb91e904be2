import { strict as assert } from "node:assert";
import type { SimulationResult } from "../../src/mesh/simulate/result.ts";
import { simulatedRows, type Simulation } from "./simulation.ts";

const finding = { allow: false, text: "deny policy match", policy: "shop/deny", id: "x.1", details: [] };
const LIST = { evaluated: 3, skipped: 0, refused: 1, allowed: 1, more: 0 };
const DESTINATION = { namespace: "shop", workload: "cart", workloads: 1 };

Deno.test("simulation: changes as rows, refusals first", () => {
  const source = { identity: "spiffe://td/ns/a/sa/b", workload: null, address: null, workloads: 1 };
  const result: SimulationResult = {
    applied: [],
    assumptions: [],
    enumerated: null,
    connections: { ...LIST, changes: [] },
    flows: null,
    pairs: {
      ...LIST,
      changes: [
        {
          change: "allowed",
          source: { ...source, identity: null },
          destinations: [{ ...DESTINATION, ports: [] }],
          moreDestinations: 2,
          otherPorts: true,
          count: 3,
          ids: [],
          before: finding,
          after: { ...finding, allow: true, text: "no allow policies, allow", policy: null },
        },
        {
          change: "refused",
          source,
          destinations: [{ ...DESTINATION, ports: [80] }],
          moreDestinations: 0,
          otherPorts: true,
          count: 1,
          ids: [],
          before: finding,
          after: finding,
        },
      ],
    },
  };
  // What the proxy sends has what the page reads.
  const simulation: Simulation = result;
  assert.deepEqual(simulatedRows(simulation).map(({ key: _key, ...row }) => Object.values(row)), [
    ["pairs of the mesh", "refused", "td/ns/a/sa/b", "shop/cart:80,other ports", 1, "deny policy match: shop/deny"],
    ["pairs of the mesh", "allowed", "plain clients", "shop/cart:any port and 2 more", 3, "no allow policies, allow"],
  ]);
});
