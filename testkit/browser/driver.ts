/**
 * `deno run --config testkit/browser/deno.json testkit/browser/driver.ts WALK CHROMIUM ADMIN PICTURES FROM TO`: does one
 * of {@link WALKS} in the dashboard of a running proxy, in Chromium, and fails where something is wrong, such as an error
 * in the console or a violation of the page's policy. ADMIN: `ip:port`. PICTURES: a folder for screenshots. FROM, TO: a
 * refused connection.
 */
import { strict as assert } from "node:assert";
import { type Browser, chromium, type Page } from "playwright-core";
import { seeLargeMesh } from "./large_walk.ts";
import { Relay } from "./relay.ts";
import {
  filterFlows,
  loseConnection,
  loseFlows,
  type Scene,
  seeViews,
  simulatePolicies,
  switchTheme,
  useKeyboard,
} from "./walks.ts";

type Look = { readonly colorScheme: "light" | "dark"; readonly width: number; readonly height: number };

const WIDE: Look = { colorScheme: "light", width: 1280, height: 860 };
interface Tools {
  readonly page: Page;
  readonly relay: Relay;
  readonly scene: Scene;
  readonly picture: (name: string) => Promise<void>;
}

interface Walk {
  readonly look: Look;
  readonly run: (tools: Tools) => Promise<void>;
  /** Errors in the console that belong to the walk. */
  readonly expected?: RegExp;
}

const views: Walk["run"] = ({ page, scene, picture }) => seeViews(page, scene, picture);

const WALKS: Readonly<Record<string, Walk>> = {
  "views, light": { look: WIDE, run: views },
  "views, dark": { look: { ...WIDE, colorScheme: "dark" }, run: views },
  "views, narrow": { look: { ...WIDE, width: 390, height: 800 }, run: views },
  "keyboard": { look: WIDE, run: ({ page }) => useKeyboard(page) },
  "flows": { look: WIDE, run: ({ page, picture }) => filterFlows(page, picture) },
  // The answer to a mistake has status 400.
  "simulation": {
    look: WIDE,
    run: ({ page, picture }) => simulatePolicies(page, picture),
    expected: /status of 400/,
  },
  "simulation, narrow": {
    look: { ...WIDE, width: 390, height: 800 },
    run: ({ page, picture }) => simulatePolicies(page, picture),
    expected: /status of 400/,
  },
  "theme": { look: WIDE, run: ({ page }) => switchTheme(page) },
  "large mesh": { look: WIDE, run: ({ page, picture }) => seeLargeMesh(page, picture) },
  // Chromium reports each request that fails.
  "lost connection": {
    look: WIDE,
    run: ({ page, relay, picture }) => loseConnection(page, relay, picture),
    expected: /net::ERR_/,
  },
  "lost flows": { look: WIDE, run: ({ page, relay }) => loseFlows(page, relay), expected: /net::ERR_/ },
};

/** The longest that a step may take, ms: the machine may be busy with other tests. */
const STEP_TIMEOUT = 60_000;

/** Runs `walk` on a new page, which must not report anything. `expected`: errors that belong to the walk. */
async function onPage(
  browser: Browser,
  url: string,
  { colorScheme, width, height }: Look,
  walk: (page: Page) => Promise<void>,
  expected = /^$/,
): Promise<void> {
  const context = await browser.newContext({ colorScheme, viewport: { width, height } });
  context.setDefaultTimeout(STEP_TIMEOUT);
  const page = await context.newPage();
  const reports: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") reports.push(message.text());
  });
  page.on("pageerror", (error) => reports.push(String(error)));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
      console.error(`policy violation: ${violatedDirective} ${blockedURI}`);
    });
  });
  await page.goto(url);
  try {
    await walk(page);
  } catch (error) {
    const shown = await page.locator("body").innerText().catch(() => "nothing");
    throw new Error(`${error}\nThe page reported:\n${reports.join("\n")}\nand showed:\n${shown}`);
  }
  assert.deepEqual(reports.filter((text) => !expected.test(text)), []);
  await context.close();
}

/** Where a command is. */
async function pathOf(command: string): Promise<string> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const info = await Deno.stat(`${folder}/${command}`).catch(() => null);
    if (info?.isFile) return `${folder}/${command}`;
  }
  throw new Error(`${command} is not in PATH`);
}

async function main(
  [name = "", program = "", admin = "", folder = "", from = "", to = ""]: readonly string[],
): Promise<void> {
  const walk = WALKS[name];
  if (walk === undefined) throw new Error(`there is no walk "${name}": ${Object.keys(WALKS).join(", ")}`);
  const [hostname = "", port = ""] = admin.split(":");
  await Deno.mkdir(folder, { recursive: true });
  await using relay = new Relay({ hostname, port: Number(port) });
  const browser = await chromium.launch({
    executablePath: await pathOf(program),
    args: ["--no-sandbox"],
    timeout: STEP_TIMEOUT,
  });
  try {
    const { look, run, expected } = walk;
    await onPage(browser, `http://127.0.0.1:${relay.port}/`, look, async (page) => {
      const picture = async (of: string) => {
        await page.screenshot({ path: `${folder}/${of}-${look.colorScheme}-${look.width}.png` });
      };
      await run({ page, relay, scene: { refused: { from, to } }, picture });
    }, expected);
  } finally {
    await browser.close();
  }
}

await main(Deno.args);
// Playwright keeps timers.
Deno.exit(0);
