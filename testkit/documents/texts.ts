/** The texts of the proxy that the pages for operators explain: log lines, errors, output of commands. */

/** The heads of columns that contain such texts. */
const HEADS = new Set(["the log says", "it says", "it shows", "error"]);

/**
 * Returns the texts in these columns of tables, each as its fixed parts: `...` on a page stands for what differs each
 * time. Names of metrics and settings are left out, since other tests check them.
 */
export function explainedTexts(page: string): string[][] {
  const texts: string[][] = [];
  let columns: readonly number[] | null = null;
  for (const line of page.split("\n")) {
    if (!line.startsWith("|")) {
      columns = null;
      continue;
    }
    const cells = line.split(/(?<!\\)\|/).slice(1, -1);
    if (columns === null) {
      columns = cells.flatMap((cell, column) => HEADS.has(cell.trim()) ? [column] : []);
      continue;
    }
    for (const column of columns) texts.push(...codesOf(cells[column] ?? "").map(fixedParts));
  }
  return texts;
}

function codesOf(cell: string): string[] {
  const codes = [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
  return codes.filter((code) => !/^[A-Z0-9_]+(=.*)?$|^rate\(|^[a-z]+(_[a-z]+)+$/.test(code));
}

function fixedParts(text: string): string[] {
  return text.split("...").map((part) => part.trim()).filter((part) => part !== "");
}
