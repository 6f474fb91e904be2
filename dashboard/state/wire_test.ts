import { strict as assert } from "node:assert";
import type * as proxy from "../../src/mesh/explain/explanation.ts";
import type { FlowEvent } from "../../src/telemetry/flow.ts";
import type { XdsStatus } from "../../src/xds/client_health.ts";
import type { MapDocument } from "../../src/admin/service_map.ts";
import type { PolicyRow } from "../../src/dataplane/policy_rows.ts";
import type { PodsOverview } from "../../src/admin/pods_route.ts";
import type * as wire from "./wire.ts";

Deno.test("wire: what the proxy sends has the types that the page expects", () => {
  // Checked by the compiler: an assignment below fails where a field of the proxy was renamed or got another type.
  const checks = [
    (value: FlowEvent): wire.FlowEvent => value,
    (value: XdsStatus): wire.ControlPlane => value,
    (value: MapDocument): wire.ServiceMap => value,
    (value: PolicyRow): wire.Policy => value,
    (value: PodsOverview): Omit<wire.Pods, "more"> => value,
    (value: proxy.Explanation): wire.Explanation => value,
    (value: proxy.ExplainError): wire.ExplainError => value,
  ];
  assert.equal(checks.length, 7);
});
