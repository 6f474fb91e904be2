/** Chooses the compression of a response (RFC 9110 §12.5.3; `docs/spec/config-admin.md` 5.1). */

/** A content coding that we can send. */
export type ContentCoding = "zstd" | "br" | "gzip" | "deflate" | "identity";

/** In order of preference at equal weight. */
const PREFERENCE: readonly ContentCoding[] = ["zstd", "br", "gzip", "deflate", "identity"];

/** `values`: the values of all `Accept-Encoding` headers. Null: none of our codings is acceptable. */
export function chooseCoding(values: readonly string[]): ContentCoding | null {
  const weights = parseWeights(values.join(","));
  let best: ContentCoding | null = null;
  let highest = 0;
  for (const coding of PREFERENCE) {
    const weight = weightOf(coding, weights);
    if (weight > highest) [best, highest] = [coding, weight];
  }
  return best;
}

function parseWeights(value: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const item of value.toLowerCase().split(",", 100)) {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1";
    if (name !== "" && /^(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/.test(weight)) weights.set(name, Number(weight));
  }
  return weights;
}

/** `identity` is acceptable unless it is excluded, but every listed coding is preferred. */
function weightOf(coding: ContentCoding, weights: ReadonlyMap<string, number>): number {
  const named = weights.get(coding) ?? weights.get("*");
  return named ?? (coding === "identity" ? Number.MIN_VALUE : 0);
}
