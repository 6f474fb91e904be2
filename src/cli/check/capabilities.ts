/** The capabilities that the configuration needs (capabilities(7)). */
import type { Config } from "../../config/config.ts";
import type { Finding, Machine } from "./machine.ts";

const NUMBERS = { NET_ADMIN: 12n, NET_RAW: 13n, SYS_ADMIN: 21n } as const;

/** Which capabilities are missing, and for what. */
export function checkCapabilities(config: Config, { capabilities }: Pick<Machine, "capabilities">): Finding[] {
  const subject = "capabilities";
  if (capabilities === null) return [{ subject, state: "note", text: "/proc/self/status does not show them" }];
  const has = (name: keyof typeof NUMBERS) => (capabilities >> NUMBERS[name] & 1n) === 1n;
  const hasNetwork = has("NET_ADMIN") || has("NET_RAW");
  const { mark, originalSource } = config.sockets;
  const found: Finding[] = [];
  const missing = (name: string, what: string, cure: string) => {
    found.push({ subject, state: "problem", text: `${name} is missing: ${what}`, cure });
  };
  if (config.mode === "shared" && !has("SYS_ADMIN")) {
    const cure = "add it (securityContext.capabilities.add), or set PROXY_MODE=dedicated for one workload";
    missing("SYS_ADMIN", "the network namespaces of pods cannot be entered", cure);
  }
  if (mark !== null && !hasNetwork) {
    const cure = config.mode === "shared"
      ? "add NET_ADMIN and NET_RAW (securityContext.capabilities.add)"
      : "add one of them, or unset PACKET_MARK";
    missing("NET_ADMIN or NET_RAW", `sockets cannot get the mark ${mark}`, cure);
  }
  if (originalSource === true && !hasNetwork) {
    const cure = "add one of them, or unset ENABLE_ORIG_SRC";
    missing("NET_ADMIN or NET_RAW", "connections cannot keep the address of their source", cure);
  }
  if (found.length > 0) return found;
  if (originalSource === null && !hasNetwork) {
    const text = "without NET_ADMIN and NET_RAW applications see the address of the proxy, not of the source";
    return [{ subject, state: "note", text }];
  }
  return [{ subject, state: "ok", text: "all that this configuration needs" }];
}
