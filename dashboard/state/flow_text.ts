/** Flows in words. */
import { duration } from "./format.ts";
import type { Flow, FlowEvent, Party } from "./wire.ts";

/** `shop/web-0`, else namespace and service account of the identity, else the address. */
export function partyName({ workload, namespace, identity, address }: Party): string {
  if (workload !== null) return `${namespace ?? ""}/${workload}`;
  const [, from, account] = /^spiffe:\/\/[^/]*\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(identity ?? "") ?? [];
  return from === undefined ? identity ?? address : `${from}/${account}`;
}

/** `TLSv1.3`, `plain`, or `HBONE`: a connection that is not made yet, or could not be made, has no TLS session. */
export function transportName({ tls, protocol }: Pick<Flow, "tls" | "protocol">): string {
  return tls?.version ?? (protocol === "HBONE" ? protocol : "plain");
}

const WHO: Readonly<Record<string, string>> = {
  client: "the client",
  server: "the server",
  peer: "the peer's proxy",
  us: "this proxy",
};

const HOW: Readonly<Record<string, string>> = {
  fin: "closed it",
  rst: "reset it",
  goaway: "took no more requests (GOAWAY)",
  refused: "refused the connection: nobody listens there",
  status: "answered with a status other than 200",
  tls: "ended the TLS handshake",
  timeout: "did not answer in time",
  error: "broke it",
  policy: "refused it by a policy",
  revocation: "ended it, as a certificate was revoked or withdrawn",
  drain: "ended it for a drain",
  "half-closed timeout": "ended it, as one side had ended and nothing moved",
  "no route": "had no route to the destination",
  identity: "had no certificate for this workload",
  "destination lost": "ended it, as the mesh took the address from the destination",
  limit: "ended it at a limit",
};

const WHEN: Readonly<Record<string, string>> = {
  accepted: "before its destination was looked up",
  resolving: "while its destination was looked up",
  authorizing: "when policies were evaluated",
  connecting: "while the destination was dialled",
  handshaking: "during the TLS handshake",
  requesting: "before the peer answered",
  open: "while it was open",
  "half-closed": "when the other side had ended already",
};

/** One sentence about how a flow has ended, or its state. */
export function endingSentence({ ending, state, age }: Flow): string {
  if (ending === null) return `It is ${state} for ${duration(age)}.`;
  const { by, how, phase } = ending;
  return `After ${duration(age)} ${WHO[by] ?? by} ${HOW[how] ?? how}, ${WHEN[phase] ?? phase}.`;
}

const BRIEFLY: Readonly<Record<string, string>> = {
  fin: "closed",
  rst: "reset",
  refused: "nobody listens",
  status: "bad status",
  tls: "TLS failed",
  error: "broken",
  policy: "policy",
};

/** Two or three words for a column. */
export function endingWords({ ending, state }: Flow): string {
  if (ending === null) return state;
  const how = BRIEFLY[ending.how] ?? ending.how;
  return ending.by === "us" || ending.how === "refused" ? how : `${how} by ${ending.by}`;
}

/** The passed phases with their start and end, ms since it was accepted. */
export function phases({ times, age, event }: FlowEvent): readonly { name: string; from: number; to: number }[] {
  const marks: [string, number | null][] = [
    ["resolve", times.resolved],
    ["authorize", times.authorized],
    ["connect", times.connected],
    ["TLS handshake", times.handshaken],
    ["CONNECT", times.answered],
    [event === "opened" ? "open so far" : "open", age],
  ];
  let from = 0;
  const found = [];
  for (const [name, to] of marks) {
    if (to === null) continue;
    found.push({ name, from, to: Math.max(from, to) });
    from = Math.max(from, to);
  }
  return found;
}

/**
 * What to ask `/explain` about a flow. Null: the client is known by its certificate only, so its address may be that of
 * another proxy, and the answer would be about that.
 */
export function questionOf({ source, destination, target, direction }: Flow): { from: string; to: string } | null {
  if (source.workload === null && source.identity !== null) return null;
  const from = source.workload === null ? hostOf(source.address) : `${source.namespace ?? ""}/${source.workload}`;
  return { from, to: direction === "outbound" ? target : isAddress(target) ? target : destination.address };
}

function isAddress(text: string): boolean {
  return /^(\d+\.){3}\d+:\d+$|^\[[0-9a-f:.]+\]:\d+$/i.test(text);
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}
