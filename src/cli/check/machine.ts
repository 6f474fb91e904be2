/** What `ztunnel check` learns about this machine. An interface, so that tests choose the facts. */
import type { Config } from "../../config/config.ts";
import type { ChannelOptions } from "../../grpc/channel.ts";
import type { SocketAddress } from "../../net/address.ts";

/** One result of the check. */
export interface Finding {
  /** `port`, `token`: what was checked. */
  readonly subject: string;
  /** `note`: worth knowing, and no reason to act. */
  readonly state: "ok" | "note" | "problem";
  readonly text: string;
  /** What to do. Present for problems only. */
  readonly cure?: string;
}

/** The text of a file, or the reason why it cannot be read: `No such file or directory (os error 2)`. */
export type FileText = { readonly text: string } | { readonly problem: string };

/** The process that listens on a port. */
export interface PortOwner {
  readonly pid: number;
  /** The name of its program. */
  readonly name: string;
  /** It runs the same program as this process: a proxy that is already running. */
  readonly isProxy: boolean;
}

/** The facts. No method throws or rejects. */
export interface Machine {
  /** ms since the epoch. */
  now(): number;
  readonly uid: number;
  /** Effective capabilities, bit n for capability n of capabilities(7). Null: not known. */
  readonly capabilities: bigint | null;
  /** The soft limit of open descriptors, and the hard one, to which the proxy raises it. */
  readonly descriptors: { readonly soft: number; readonly hard: number };
  /** Binds a socket and closes it. Null: the port is free. */
  bindProblem(address: SocketAddress, protocol: "tcp" | "udp"): { readonly code: string; readonly text: string } | null;
  /** Null: not found, or this process may not see it. */
  portOwner(address: SocketAddress): PortOwner | null;
  read(path: string): FileText;
  /** The bits of `chmod`. Null: there is no such file. */
  permissions(path: string): number | null;
  /** Why the path is no socket that this process may connect to. Null: it is one. Nothing is connected. */
  socketProblem(path: string): string | null;
  /** Connects to the socket and disconnects. Null: a program accepts connections there. */
  connectProblem(path: string): Promise<string | null>;
  /** Version of the TLS library with which the policy can be kept, or why there is none. */
  tlsLibrary(config: Config): { readonly version: string } | { readonly problem: string };
  /** Connects, does the TLS handshake and disconnects. Null: the server is reached and trusted. */
  reachProblem(options: ChannelOptions): Promise<string | null>;
}
