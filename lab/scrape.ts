/** The part of the OpenMetrics text format that is needed to add up counters. */

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export async function scrape(url: string): Promise<Sample[]> {
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return text.split("\n").map(parseSample).filter((sample) => sample !== null);
}

/** Null for comments and empty lines. */
export function parseSample(line: string): Sample | null {
  const [, name, labels = "", value] = /^([\w:]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
  if (name === undefined || value === undefined) return null;
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
  return { name, labels: new Map(pairs.map(([, label = "", text = ""]) => [label, text])), value: Number(value) };
}

/** Over the samples of `name` that have all of `labels`. */
export function sumOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>): number {
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, text]) => sample.labels.get(label) === text))
    .reduce((sum, { value }) => sum + value, 0);
}
