/** The log lines and errors that the pages for operators explain. */

/** The first cell of the head of tables that explain texts of the proxy. */
const HEADS = new Set(["the log says", "it says", "error"]);

/**
 * Returns the texts in the first columns of such tables, each as its fixed parts: `...` on a page stands for what differs
 * each time.
 */
export function explainedTexts(page: string): string[][] {
  const texts: string[][] = [];
  let isInTable = false;
  for (const line of page.split("\n")) {
    const [, first = ""] = line.match(/^\|((?:[^|\\]|\\.)*)\|/) ?? [];
    if (!line.startsWith("|")) isInTable = false;
    else if (HEADS.has(first.trim())) isInTable = true;
    else if (isInTable) texts.push(...[...first.matchAll(/`([^`]+)`/g)].map(([, text]) => fixedParts(text!)));
  }
  return texts;
}

function fixedParts(text: string): string[] {
  return text.split("...").map((part) => part.trim()).filter((part) => part !== "");
}
