/** The dashboard of a busy node in a large mesh, with answers that are made here. */
import { strict as assert } from "node:assert";
import type { Page, Route } from "playwright-core";

const EDGES = 250, FLOWS = 2000, POLICIES = 500;

/** The page stays small and legible. */
export async function seeLargeMesh(page: Page, picture: (name: string) => Promise<void>): Promise<void> {
  const answer = (value: unknown) => (route: Route) => route.fulfill({ json: value });
  await page.route("**/service-map", answer({ edges: edges(), leftOut: { edges: 84, opened: 900 }, span: 5000 }));
  await page.route("**/policies?*", answer({ policies: policies(), isCut: true }));
  await page.route("**/observe?*", (route) => {
    const body = Array.from({ length: FLOWS }, (_, i) => `data: ${JSON.stringify(flow(i))}\n\n`).join("");
    return route.fulfill({ headers: { "content-type": "text/event-stream" }, body });
  });
  await page.evaluate(() => location.hash = "map");
  await page.getByText(/pairs with less traffic are left out/).waitFor();
  assert.equal(await page.locator("svg.map .edge").count(), 60);
  await picture("large-map");
  await page.getByRole("button", { name: "Namespaces" }).click();
  await page.locator("svg.map .node.namespace").first().waitFor();
  await page.evaluate(() => location.hash = "flows");
  await page.locator(".flow").first().waitFor();
  assert.ok(await page.locator(".flow").count() < 80, "rows that are not seen are not in the document");
  await page.locator(".flow-scroll").evaluate((list) => list.scrollTop = list.scrollHeight / 2);
  await page.locator(".flow").first().waitFor();
  await picture("large-flows");
  await page.evaluate(() => location.hash = "policies");
  await page.getByText("There are more: find them by name.").waitFor();
  assert.equal(await page.locator("tbody tr").count() < 260, true);
  await page.unrouteAll({ behavior: "ignoreErrors" });
}

const NAMES = [
  "gateway",
  "web",
  "cart",
  "checkout",
  "payment",
  "catalog",
  "search",
  "users",
  "mail",
  "ledger",
  "stock",
];

function edges() {
  return Array.from({ length: EDGES }, (_, i) => {
    const from = i % NAMES.length, to = (from + 1 + i % 4) % NAMES.length;
    return {
      source: i % 40 === 0 ? null : `ns-${from % 3}/${NAMES[from]}-${i % 5}`,
      destination: i % 33 === 0 ? null : `ns-${to % 3}/${NAMES[to]}-${i % 3}`,
      services: [`${NAMES[to]}.ns-${to % 3}.svc.cluster.local`],
      mutualTls: i % 7 > 0,
      open: i % 40,
      opened: 1000 + i * 7,
      denied: i % 31 === 0 ? 9 : 0,
      failed: 0,
      bytesToDestination: i * 1e5,
      bytesToSource: i * 1e6,
      rate: { opened: 100 / (1 + i), denied: i % 31 === 0 ? 0.5 : 0, failed: 0, bytes: 1e4 },
    };
  });
}

function policies() {
  return Array.from({ length: POLICIES }, (_, i) => ({
    policy: `ns-${i % 20}/policy-${i}`,
    action: i % 2 === 0 ? "Allow" : "Deny",
    scope: "Namespace",
    dryRun: i % 9 === 0,
    rules: 1 + i % 4,
    hits: [],
  }));
}

function flow(i: number) {
  const party = (name: string) => ({
    address: `10.0.0.${i % 250}:80`,
    workload: name,
    namespace: "shop",
    identity: null,
  });
  return {
    event: "ended",
    time: new Date(1_796_000_000_000 + i * 10).toISOString(),
    id: i.toString(16).padStart(32, "0"),
    direction: i % 2 === 0 ? "inbound" : "outbound",
    state: "ended",
    verdict: i % 11 === 0 ? "failed" : "ok",
    source: party(`web-${i}`),
    destination: party(`cart-${i % 9}`),
    target: "10.0.0.1:80",
    service: "cart.shop.svc.cluster.local",
    protocol: "HBONE",
    tls: { version: "TLSv1.3", group: "X25519MLKEM768" },
    carrier: 1,
    attempt: 1,
    dryRuns: [],
    bytesSent: i * 100,
    bytesReceived: i * 1000,
    age: i * 3,
    idle: null,
    times: { resolved: 0, authorized: 0, connected: 1, handshaken: 1, answered: 2 },
    ending: { by: "client", how: "fin", phase: "open" },
    flag: "-",
    error: null,
  };
}
