/** The row about a thousand certificates at once: `identities.ts` with each library. */
import type { IdentityFigures } from "./identities.ts";
import { type Metric, proxiesOneByOne, type Row } from "./row.ts";
import { script } from "./script.ts";

const PROGRAM = "identities.ts";

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const identities: Row = {
  id: "identities",
  title: "certificates of 1000 pods, from a scripted SPIRE agent",
  metrics: [
    lower("issued", "until a worker has all of them", "ms"),
    lower("most", "attestations at the same time", ""),
    lower("turn", "longest turn of the worker's loop while all are renewed at once", "ms"),
    lower("turnCpu", "of which its thread ran", "ms"),
  ],
  once: true,
  quick: false,
  measure: proxiesOneByOne(async ({ id, kind }) => {
    if (kind.ztunnel === null || !id.startsWith("ours")) return {};
    const library = kind.ztunnel.env["TLS_LIBRARY"];
    const [program, ...args] = script(PROGRAM, ...library === undefined ? [] : [library]);
    const { stdout, success } = await new Deno.Command(program!, { args, stderr: "inherit" }).output();
    if (!success) throw new Error("identities.ts failed, see above");
    return { ...JSON.parse(new TextDecoder().decode(stdout)) as IdentityFigures };
  }),
};

/** The rows of this file. */
export const IDENTITY_ROWS: readonly Row[] = [identities];
