/**
 * `/`: the dashboard for browsers (`docs/dashboard.md`), which `istioctl dashboard proxy` opens. Programs get a page with
 * links to what the admin port serves (`docs/spec/config-admin.md` 4.3), which is at `/routes` too.
 */
import type { HttpHandler } from "./http_connection.ts";
import type { RequestHead } from "./request_head.ts";

/** Links are relative, as a proxy may serve the page under another path. */
const COMMANDS: readonly (readonly [path: string, description: string])[] = [
  ["debug/pprof/profile", "CPU profile for pprof, sampled for seconds=10"],
  ["debug/pprof/heap", "profile of allocated memory for pprof, sampled for seconds=10; all: with what was freed"],
  ["debug/pprof/heap/profiling", "switch for the profile of the native heap; this build has none"],
  ["quitquitquit", "drain connections and stop the proxy (POST)"],
  ["config_dump", "configuration, mesh, certificates and connections as JSON"],
  ["node", "what this node is and how it is, as JSON: control plane, certificates, mesh, readiness"],
  ["samples?follow=false", "figures of the last hour, a sample each five seconds"],
  ["service-map", "who talks to whom on this node, with rates"],
  ["pods", "the pods of this node and what the last audit found"],
  ["certificates", "certificates with the time left and what to do about failures"],
  ["policies", "policies and what they have decided on this node"],
  ["connections", "open connections as JSON; docs/flows.md has the filters"],
  ["observe?last=100&follow=false", "the last 100 connections that have ended"],
  ["dry-run", "what policies in dry run would have refused, by policy and caller"],
  ["logging", "show and change log levels (POST)"],
  ["simulate", "what AuthorizationPolicies and PeerAuthentications would change (POST): docs/simulate.md"],
  ["explain", "explain where a connection goes and which policies apply: from=namespace/name, to=host:port"],
];

const STYLE =
  "table{border-collapse:collapse;font-family:sans-serif}td,th{padding:4px 8px;text-align:left}.grey{background:#eee}";

/** `page`: answers requests for the dashboard. */
export function rootRoute(page: HttpHandler): HttpHandler {
  const list = listRoute();
  return (request) => isForPage(request) ? page(request) : list(request);
}

/** Browsers ask for HTML by name; curl and scripts take anything. */
function isForPage({ method, headers }: RequestHead): boolean {
  const accept = (headers.get("accept") ?? []).join(",").toLowerCase();
  return (method === "GET" || method === "HEAD") && accept.includes("text/html");
}

/** The page with links. */
export function listRoute(): HttpHandler {
  const body = listPage();
  return () => ({ status: 200, headers: [["content-type", "text/html; charset=utf-8"]], body });
}

function listPage(): string {
  const rows = COMMANDS.map(([path, description], i) =>
    `<tr class="${i % 2 === 0 ? "plain" : "grey"}"><td><a href="${path}">${path}</a></td><td>${description}</td></tr>`
  );
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Ztunnel Admin</title><style>${STYLE}</style></head>
<body>
<table>
<thead><tr><th>Command</th><th>Description</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table>
</body>
</html>
`;
}
