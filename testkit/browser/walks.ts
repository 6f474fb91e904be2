/** What a reader does with the dashboard, step by step. Each walk throws where something is not as it should be. */
import { strict as assert } from "node:assert";
import type { Page } from "playwright-core";
import type { Relay } from "./relay.ts";

/** What the walks need to know about the proxies. */
export interface Scene {
  /** A refused connection, for the explain form. */
  readonly refused: { readonly from: string; readonly to: string };
}

/** Views by their address, and what is there once they have drawn their data. */
function viewsOf({ refused }: Scene): readonly (readonly [address: string, ready: string])[] {
  return [
    ["node", ".chart .u-over"],
    ["map", "svg.map .edge.failing"],
    ["flows", ".flow .badge.warn"],
    ["pods", "td .badge.ok"],
    ["certificates", ".certificate .life.good"],
    ["policies", "td .text-warn"],
    ["mesh", ".facts dd"],
    [`explain?${new URLSearchParams(refused)}`, ".station.refused .admission"],
  ];
}

/** Opens a view. */
async function go(page: Page, address: string): Promise<void> {
  await page.evaluate((to) => location.hash = to, address);
}

/** Each view shows data, and nothing is wider than the page. */
export async function seeViews(page: Page, scene: Scene, picture: (name: string) => Promise<void>): Promise<void> {
  for (const [address, ready] of viewsOf(scene)) {
    const name = address.split("?")[0]!;
    await go(page, address);
    await page.locator(ready).first().waitFor();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${name} is ${overflow} px wider than the page`);
    await picture(name);
  }
}

/** Everything can be reached and used without a pointer, and the focus can be seen. */
export async function useKeyboard(page: Page): Promise<void> {
  await go(page, "node");
  await page.locator("#tab-node[aria-selected=true]").waitFor();
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Skip to the content");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Node");
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle), "none");
  await page.keyboard.press("ArrowDown");
  await page.locator("#tab-map[aria-selected=true]:focus").waitFor();
  const node = page.locator("svg.map .node").first();
  await node.focus();
  await page.keyboard.press("Enter");
  await page.locator("svg.map .node.selected[aria-pressed=true]").waitFor();
  await page.locator("#tab-map").focus();
  await page.keyboard.press("ArrowDown");
  await page.locator(".flow").first().waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator(".flow").first().focus();
  await page.keyboard.press("ArrowDown");
  const second = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  assert.match(second ?? "", /explain$/);
  await page.keyboard.press("Enter");
  await page.locator(".detail:focus").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".detail").waitFor({ state: "detached" });
  // The page moves the focus a moment later.
  await page.waitForFunction((label) => document.activeElement?.getAttribute("aria-label") === label, second);
}

/** The text of what has the focus. */
async function focused(page: Page): Promise<string> {
  return await page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
}

/** A filter leaves what meets it, and one flow opened is explained. */
export async function filterFlows(page: Page, picture: (name: string) => Promise<void>): Promise<void> {
  await go(page, "flows");
  await page.getByLabel("Verdict").selectOption("denied");
  await page.waitForURL(/verdict=denied/);
  await page.locator(".flow .badge.warn").first().waitFor();
  assert.equal(await page.locator(".flow .badge.ok").count(), 0);
  await page.locator(".flow").first().click();
  const detail = page.locator(".detail");
  await detail.getByText(/this proxy refused it by a policy/).waitFor();
  await detail.locator("code").first().waitFor();
  await picture("flow");
  await detail.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.locator(".flow .badge.ok").first().waitFor();
  await page.getByRole("button", { name: "Open now" }).click();
  await page.getByText("Open connections").first().waitFor();
  await page.locator(".flow .badge.accent").first().waitFor();
}

/** The switch changes the colours, and the choice outlives a reload. */
export async function switchTheme(page: Page): Promise<void> {
  const colour = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const button = page.getByRole("button", { name: /^Colours/ });
  await button.click();
  const light = await colour();
  await button.click();
  const dark = await colour();
  assert.notEqual(light, dark);
  await page.reload();
  await page.locator(".head-name h1").waitFor();
  assert.equal(await colour(), dark);
}

/** A lost connection is shown, and comes back by itself. */
export async function loseConnection(
  page: Page,
  relay: Relay,
  picture: (name: string) => Promise<void>,
): Promise<void> {
  await go(page, "node");
  await page.locator(".link-state.live").waitFor();
  await page.locator(".chart .u-over").first().waitFor();
  await relay.cut();
  await page.locator(".link-state.lost").waitFor();
  await picture("lost");
  relay.restore();
  await page.locator(".link-state.live").waitFor();
  await page.locator(".chart .u-over").first().waitFor();
}

/** Flows that are paused stay where they are while the stream is lost and comes back; then the others follow. */
export async function loseFlows(page: Page, relay: Relay): Promise<void> {
  await go(page, "flows");
  await page.locator(".flow").first().waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  const rows = () => page.locator(".flow").evaluateAll((all) => all.map((row) => row.getAttribute("aria-label")));
  const shown = await rows();
  await relay.cut();
  await page.getByText("the stream of flows has ended").waitFor();
  relay.restore();
  await page.getByText("the stream of flows has ended").waitFor({ state: "detached" });
  const more = page.getByRole("button", { name: /^Go on \(\d+ new\)/ });
  await more.waitFor();
  assert.deepEqual(await rows(), shown);
  await more.click();
  await page.getByRole("button", { name: "Pause" }).waitFor();
  assert.notDeepEqual(await rows(), shown);
}

/** Policies that would refuse a client are simulated, and a mistake in them is said. */
export async function simulatePolicies(page: Page, picture: (name: string) => Promise<void>): Promise<void> {
  await go(page, "policies");
  const card = page.locator(".card", { has: page.getByRole("heading", { name: "What would change?" }) });
  const ask = async (yaml: string) => {
    await card.getByLabel("Policies").fill(yaml);
    await card.getByRole("button", { name: "Simulate" }).click();
  };
  await ask("kind: Nonsense");
  await card.locator(".problem").waitFor();
  await ask(NOBODY);
  await card.locator("td .badge.bad").first().waitFor();
  await card.getByText(/newly refused/).first().waitFor();
  assert.match(await card.locator("tbody tr").first().textContent() ?? "", /refused.*test\/nobody/);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the simulation is ${overflow} px wider than the page`);
  await card.scrollIntoViewIfNeeded();
  await picture("simulate");
}

/** Allows nobody. */
const NOBODY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: nobody
  namespace: test
spec:
  action: DENY
  rules:
  - {}
`;
