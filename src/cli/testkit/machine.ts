/** A machine for tests of `ztunnel check`, on which nothing is wrong. */
import type { ConfigFiles } from "../../config/files.ts";
import { parseConfig } from "../../config/parse_config.ts";
import type { Config } from "../../config/config.ts";
import type { Finding, Machine } from "../check/machine.ts";

/** The time of the machine: 2026-06-01. */
export const NOW = Date.UTC(2026, 5, 1);

/** Paths and their texts; /etc/resolv.conf is added. */
export function files(texts: Readonly<Record<string, string>> = {}): ConfigFiles {
  const all: Record<string, string> = { "/etc/resolv.conf": "nameserver 10.0.0.1\n", ...texts };
  return { read: (path) => all[path] ?? null, exists: (path) => path in all };
}

/** Parses a configuration as a start does. */
export function configOf(
  variables: Readonly<Record<string, string>>,
  texts: Readonly<Record<string, string>> = {},
): Config {
  return parseConfig({ IPV6_ENABLED: "false", ...variables }, files(texts), 2);
}

/** `texts`: its files. `facts` replace those of a healthy machine. */
export function machine(facts: Partial<Machine> = {}, texts: Readonly<Record<string, string>> = {}): Machine {
  return {
    now: () => NOW,
    uid: 1337,
    capabilities: ~0n,
    descriptors: { soft: 1024, hard: 1_048_576 },
    bindProblem: () => null,
    portOwner: () => null,
    read(path) {
      const text = texts[path];
      return text === undefined ? { problem: "No such file or directory (os error 2)" } : { text };
    },
    permissions: () => 0o600,
    socketProblem: () => null,
    connectProblem: () => Promise.resolve(null),
    tlsLibrary: () => ({ version: "OpenSSL 3.5.5" }),
    reachProblem: () => Promise.resolve(null),
    ...facts,
  };
}

/** `problem token: TEXT; cure: CURE` */
export function lines(findings: readonly Finding[]): string[] {
  return findings.map(({ subject, state, text, cure }) =>
    `${state} ${subject}: ${text}${cure === undefined ? "" : `; cure: ${cure}`}`
  );
}
