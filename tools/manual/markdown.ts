/** Parts of a Markdown page. */

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n") + "\n";
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

export const code = (text: string): string => `\`${text}\``;

/** The first line of a made page. */
export function madeFrom(source: string): string {
  return `<!-- Made from ${source} by \`deno task docs\`. Do not edit. -->\n\n`;
}
