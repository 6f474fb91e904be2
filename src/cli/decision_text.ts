/** What the id of a decision stands for, as text for a terminal. */
import type { DecisionRow } from "../mesh/explain/decision.ts";

const SCOPES = { Global: "whole mesh", Namespace: "whole namespace", WorkloadSelector: "by selector" } as const;

/** `isLive`: the row comes from a running proxy, which counts and notes times. */
export function decisionText({ id, text, policy, count }: DecisionRow, isLive: boolean): string {
  const lines = [`${id}: ${text}`];
  if (policy !== null) {
    const { key, action, scope, dryRun, rule, conditions, revision, received, removed } = policy;
    const kind = `${dryRun ? "dry-run " : ""}${action.toUpperCase()}`;
    lines.push(
      "",
      `policy    ${kind} ${key} (${SCOPES[scope]})`,
      `rule ${rule}    ${conditions}`,
      `revision  ${revision}`,
    );
    if (isLive) lines.push(`in force  ${removed === null ? "yes" : "no"}${timeText(received, removed)}`);
  }
  if (isLive) {
    lines.push(`${policy === null ? "\n" : ""}decided   ${count === 1 ? "once" : `${count} times`} on this node`);
  }
  return `${lines.join("\n")}\n`;
}

function timeText(received: string | null, removed: string | null): string {
  return `${received === null ? "" : `, received ${received}`}${
    removed === null ? "" : `, replaced or removed ${removed}`
  }`;
}
