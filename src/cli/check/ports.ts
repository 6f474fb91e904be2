/** The ports that the process itself listens on. Those of pods are in the pods' namespaces and not checked here. */
import type { Config, ServerAddress } from "../../config/config.ts";
import { serverListeners, workloadListeners } from "../../control/workers/listener_addresses.ts";
import { formatAddress, LOOPBACK_V4, LOOPBACK_V6, type SocketAddress } from "../../net/address.ts";
import type { Finding, Machine } from "./machine.ts";

const SUBJECT = "port";

interface Wanted {
  readonly variable: string;
  readonly address: SocketAddress;
  readonly protocol: "tcp" | "udp";
}

type Facts = Pick<Machine, "bindProblem" | "portOwner">;

/** One finding for each port that cannot be used, and one for the others. */
export function checkPorts(config: Config, machine: Facts): Finding[] {
  const problems: Finding[] = [];
  const free: string[] = [], ofProxy: string[] = [];
  let pid = 0;
  for (const { variable, address, protocol } of wantedPorts(config)) {
    const problem = machine.bindProblem(address, protocol);
    const name = `${formatAddress(address)}${protocol === "udp" ? "/udp" : ""}`;
    // A machine without IPv6 has no ::1; the servers then listen on 127.0.0.1 only.
    if (problem === null || (address.ip === LOOPBACK_V6 && problem.code !== "EADDRINUSE")) {
      if (problem === null) free.push(name);
      continue;
    }
    const owner = problem.code === "EADDRINUSE" ? machine.portOwner(address) : null;
    if (owner?.isProxy) {
      ofProxy.push(name);
      pid = owner.pid;
      continue;
    }
    const by = owner === null ? "" : `, by ${owner.name} (process ${owner.pid})`;
    problems.push({
      subject: SUBJECT,
      state: "problem",
      text: `${name}: ${problem.text}${by}`,
      cure: cureOf(problem.code, variable),
    });
  }
  return [
    ...problems,
    ...list("free", free),
    ...list(`in use by the proxy that is already running (process ${pid})`, ofProxy),
  ];
}

function list(what: string, names: readonly string[]): Finding[] {
  return names.length === 0 ? [] : [{ subject: SUBJECT, state: "ok", text: `${what}: ${names.join(", ")}` }];
}

function cureOf(code: string, variable: string): string {
  switch (code) {
    case "EADDRINUSE":
      return `end the program that has it (ss -ltnup), or set ${variable}`;
    case "EACCES":
      return `ports below 1024 need CAP_NET_BIND_SERVICE; ${variable} sets another one`;
    case "EADDRNOTAVAIL":
      return "no interface has this address: check BIND_ADDRESS";
    default:
      return `set ${variable}`;
  }
}

/** Port 0 is the kernel's choice, so nothing has to be free. */
function wantedPorts(config: Config): Wanted[] {
  const own = config.mode === "dedicated" ? workloadListeners(config) : [];
  const tcp = [...own, ...serverListeners(config)].map((named) => ({ ...named, protocol: "tcp" as const }));
  return [...tcp, ...config.mode === "dedicated" && config.dnsEnabled ? dnsPorts(config.listeners.dns) : []]
    .filter(({ address }) => address.port !== 0);
}

function dnsPorts(at: ServerAddress): Wanted[] {
  const addresses = at.kind === "address"
    ? [at.address]
    : [LOOPBACK_V4, ...at.ipv6 ? [LOOPBACK_V6] : []].map((ip) => ({ ip, port: at.port }));
  return addresses.flatMap((address) =>
    (["tcp", "udp"] as const).map((protocol) => ({ variable: "ISTIO_META_DNS_PROXY_ADDR", address, protocol }))
  );
}
