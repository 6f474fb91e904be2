/** What an operator can do about a port that cannot be bound. */
import type { Config } from "../config/config.ts";
import { formatAddress } from "../net/address.ts";
import { serverListeners, workloadListeners } from "../control/workers/listener_addresses.ts";

const FAILURE = /^failed to bind to address (\S+): (.*)$/;

/** Completes the text of a failed start, `failed to bind to address A: REASON`; others stay as they are. */
export function withBindCure(message: string, config: Config): string {
  const [, address, reason] = FAILURE.exec(message) ?? [];
  if (address === undefined || reason === undefined) return message;
  const cure = cureOf(reason, variableOf(address, config), config);
  return cure === null ? message : `${message}; ${cure}`;
}

function cureOf(reason: string, variable: string | null, { sockets }: Config): string | null {
  if (reason.startsWith("Address already in use")) {
    const other = variable === null ? "" : `, ${variable} sets another one`;
    return `\`ss -ltnp\` shows who has the port${other}`;
  }
  if (reason.startsWith("Permission denied")) return "ports below 1024 need CAP_NET_BIND_SERVICE";
  if (!reason.startsWith("Operation not permitted") || sockets.originalSource !== true) return null;
  return "ENABLE_ORIG_SRC=true must have CAP_NET_ADMIN or CAP_NET_RAW";
}

function variableOf(address: string, config: Config): string | null {
  const all = [...workloadListeners(config), ...serverListeners(config)];
  return all.find((named) => formatAddress(named.address) === address)?.variable ?? null;
}
