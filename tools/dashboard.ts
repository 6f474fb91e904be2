/**
 * `deno task dashboard`: makes the page of the admin port from `dashboard/`, as the files `src/admin/dashboard.*`. With
 * `--check` it compares instead, and fails where they are stale.
 */
const SOURCE = "dashboard";
/** The files without their ending, which the proxy serves (`src/admin/dashboard_page.ts`). */
const TARGET = "src/admin/dashboard";

interface PageFiles {
  readonly html: string;
  readonly css: string;
  readonly js: string;
}

async function build(): Promise<PageFiles> {
  const folder = await Deno.makeTempDir({ prefix: "ztunnel-dashboard-" });
  try {
    const options = ["--quiet", "--minify", "--platform=browser", "--config", `${SOURCE}/deno.json`];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", ...options, "--outdir", folder, `${SOURCE}/view/main.tsx`],
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`the page cannot be bundled: ${new TextDecoder().decode(stderr)}`);
    const [js, css, html, licences] = await Promise.all(
      [`${folder}/main.js`, `${folder}/main.css`, `${SOURCE}/page.html`, `${SOURCE}/licences.txt`]
        .map((path) => Deno.readTextFile(path)),
    ) as [string, string, string, string];
    // The licences of what is in the bundle ask for their text.
    const notice = `/*!\n${licences}*/\n`;
    return { html, css: notice + css, js: notice + js };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function main(isCheck: boolean): Promise<number> {
  Deno.chdir(new URL("..", import.meta.url));
  const stale: string[] = [];
  for (const [ending, text] of Object.entries(await build())) {
    const path = `${TARGET}.${ending}`;
    if (!isCheck) await Deno.writeTextFile(path, text);
    else if (await Deno.readTextFile(path).catch(() => "") !== text) stale.push(path);
  }
  if (stale.length > 0) console.error(`${stale.join(", ")}: not what ${SOURCE}/ gives; run \`deno task dashboard\``);
  return stale.length === 0 ? 0 : 1;
}

Deno.exit(await main(Deno.args.includes("--check")));
