/** Parses the part of the OpenMetrics text format that is needed to sum counters. */

/** One sample. */
export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

/** Fetches all samples of a URL. Throws for an error status. */
export async function scrape(url: string): Promise<Sample[]> {
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} responds with ${response.status}`);
  return text.split("\n").map(parseSample).filter((sample) => sample !== null);
}

/** Returns the sample of a line; null for comments and empty lines. */
export function parseSample(line: string): Sample | null {
  const [, name, labels = "", value] = /^([\w:]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
  if (name === undefined || value === undefined) return null;
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
  return { name, labels: new Map(pairs.map(([, label = "", text = ""]) => [label, text])), value: Number(value) };
}

/** Returns the sum of the samples of `name` that have all of `labels`. */
export function sumOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>): number {
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, text]) => sample.labels.get(label) === text))
    .reduce((sum, { value }) => sum + value, 0);
}
