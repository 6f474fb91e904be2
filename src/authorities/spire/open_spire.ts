/** From settings to an authority: the modes of asking a SPIRE agent. Connects by itself, and again whenever it must. */
import type { SpireSettings } from "../../config/spire_settings.ts";
import type { Clock, GrpcChannel } from "../../grpc/channel.ts";
import { openChannel } from "../../grpc/open_channel.ts";
import { CertificateError } from "../../identity/authority.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import { parseTrustDomain, type SpiffeId, type TrustDomain } from "../../identity/spiffe_id.ts";
import { type ContainerRuntime, containerRuntime } from "../cri/container_runtime.ts";
import { byProcess } from "./by_process.ts";
import { DelegatedApi } from "./delegated_api.ts";
import { byAccount, byPod, delegatedSource, type SubjectNaming } from "./delegated_source.ts";
import type { FindPod } from "./local_pods.ts";
import type { ProcessTable } from "./process_guard.ts";
import { SpireAuthority } from "./spire_authority.ts";

/** What an authority needs besides its settings. */
export interface SpireSurroundings {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: WriteLine;
  /** What the CNI agent said. */
  readonly findPod: FindPod;
  readonly processes: ProcessTable;
  /** SPIFFE id of the proxy's own workload; null: not known. */
  readonly own: SpiffeId | null;
}

/**
 * A Go server ends a connection after the third ping within five minutes on which it had nothing to say, and an agent has
 * nothing to say for half an hour. Unix sockets tell by themselves when the other side is gone.
 */
export const KEEPALIVE = { interval: 330_000, timeout: 20_000 };

/** `clusterDomain`: SPIRE's trust domain. Throws {@link CertificateError} where that is none. */
export function openSpire(settings: SpireSettings, clusterDomain: string, around: SpireSurroundings): SpireAuthority {
  const { clock, random, log } = around;
  const trustDomain = checkedDomain(clusterDomain);
  warnIfOpen(settings.adminSocketPath, log);
  const api = new DelegatedApi(unixChannel(settings.adminSocketPath, clock), settings.adminSocket);
  const source = delegatedSource({ api, naming: naming(settings, around), trustDomain, clock, random, log });
  const { timeout, concurrency } = settings;
  return new SpireAuthority({ source, trustDomain, clock, random, timeout, concurrency, log });
}

/** S29: who can put another socket in the place of the agent's gives out identities. */
export function warnIfOpen(socket: string, log: WriteLine): void {
  const folder = socket.slice(0, socket.lastIndexOf("/")) || "/";
  const mode = modeOf(folder);
  const sticky = 0o1000, others = 0o002;
  if (mode === null || !(mode & others) || mode & sticky) return;
  log(
    "warn",
    `everybody may write to ${folder}, where the socket ${socket} is: any process can stand in for the agent`,
    {},
  );
}

function modeOf(path: string): number | null {
  try {
    return Deno.statSync(path).mode;
  } catch {
    return null;
  }
}

export function checkedDomain(clusterDomain: string): TrustDomain {
  const trustDomain = parseTrustDomain(clusterDomain);
  if (trustDomain !== null) return trustDomain;
  throw new CertificateError(
    `invalid trust domain: CLUSTER_DOMAIN "${clusterDomain}" is no SPIFFE trust domain`,
    "CONFIGURATION",
  );
}

function naming(settings: SpireSettings, around: SpireSurroundings): SubjectNaming {
  switch (settings.attestation) {
    case "pid":
      return byProcess(openRuntime(settings, around), around.findPod, around.processes, around.own);
    case "selectors":
      return byAccount();
    case "pod_selectors":
      return byPod(around.findPod, around.own);
    default:
      return settings.attestation satisfies never;
  }
}

export function openRuntime(
  { containerRuntimeSockets }: SpireSettings,
  { clock, random }: SpireSurroundings,
): ContainerRuntime {
  return containerRuntime({
    clock,
    random,
    sockets: containerRuntimeSockets,
    dial: (path) => unixChannel(path, clock),
    exists: isSocket,
  });
}

export function unixChannel(path: string, clock: Clock): GrpcChannel {
  return openChannel({
    target: { text: `unix://${path}`, endpoint: { kind: "unix", path }, authority: "localhost", tls: false },
    security: null,
    headers: [],
    token: null,
    keepalive: KEEPALIVE,
    clock,
  });
}

function isSocket(path: string): boolean {
  try {
    return Deno.statSync(path).isSocket === true;
  } catch {
    return false;
  }
}
