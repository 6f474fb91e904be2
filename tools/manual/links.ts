/**
 * Finds what leads nowhere in our own pages: links to files or headings that do not exist, and names of files in inline
 * code, such as `h2/pool.ts`.
 */
import { dirname, join } from "node:path";

export interface Pages {
  /** The text of a file, null where there is none. `path` is relative to the top of the project. */
  read(path: string): string | null;
  exists(path: string): boolean;
}

/** The dead links of the page at `path`, each as one line for people. Links to other sites are not followed. */
export function deadLinks(path: string, pages: Pages): string[] {
  const dead: string[] = [];
  for (const link of linksOf(pages.read(path) ?? "")) {
    const problem = problemOf(path, link, pages);
    if (problem !== null) dead.push(`${path}: the link ${link} leads nowhere: ${problem}`);
  }
  return dead;
}

/** Folders that pages leave out in names of files. */
const LEFT_OUT = ["", "src/", "docs/"];

/** Names of files, with their folder, that do not exist. */
export function deadNames(path: string, pages: Pages): string[] {
  const code = [...withoutCode(pages.read(path) ?? "").matchAll(/`([^`\n]+)`/g)].map(([, text]) => text!);
  const names = code.filter((text) => /^[a-z0-9_.-]+(\/[a-z0-9_.-]+)+\.(ts|sh|c|json|md|yaml)$/.test(text));
  const isThere = (name: string) =>
    [...LEFT_OUT, `${dirname(path)}/`].some((folder) => pages.exists(join(folder, name)));
  return names.filter((name) => !name.startsWith("../") && !isThere(name))
    .map((name) => `${path}: there is no ${name}`);
}

function problemOf(path: string, link: string, pages: Pages): string | null {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return null;
  const [file = "", anchor] = link.split("#");
  const target = file === "" ? path : join(dirname(path), file);
  if (!pages.exists(target)) return `there is no ${target}`;
  if (anchor === undefined) return null;
  return anchors(pages.read(target) ?? "").has(anchor) ? null : `${target} has no heading #${anchor}`;
}

/** Targets of links and images. Code blocks and inline code are not looked at. */
export function linksOf(page: string): string[] {
  const text = withoutCode(page).replace(/`[^`\n]*`/g, "`code`");
  const markdown = [...text.matchAll(/\]\(([^()\s]+)(?:\s+"[^"]*")?\)/g)];
  const html = [...text.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g)];
  return [...markdown, ...html].map(([, target]) => target!);
}

/** The names by which headings can be linked to, as GitHub makes them. */
export function anchors(page: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading] of withoutCode(page).matchAll(/^#{1,6} +(.+?)\s*$/gm)) {
    const plain = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const name = plain.replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
    let unique = name;
    for (let n = 1; found.has(unique); n++) unique = `${name}-${n}`;
    found.add(unique);
  }
  return found;
}

function withoutCode(page: string): string {
  return page.replace(/^```[\s\S]*?^```/gm, "");
}
