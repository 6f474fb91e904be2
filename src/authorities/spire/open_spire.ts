/** Makes the authority for a SPIRE agent from the settings. */
import type { SpireSettings } from "../../config/spire_settings.ts";
import type { GrpcChannel } from "../../grpc/channel.ts";
import { openChannel } from "../../grpc/open_channel.ts";
import { CertificateError } from "../../identity/authority.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import { parseTrustDomain, type SpiffeId, type TrustDomain } from "../../identity/spiffe_id.ts";
import type { WallClock } from "../../net/clock.ts";
import { type ContainerRuntime, containerRuntime } from "../cri/container_runtime.ts";
import { byProcess } from "./by_process.ts";
import { DelegatedApi } from "./delegated_api.ts";
import { byAccount, byPod, delegatedSource, type SubjectNaming } from "./delegated_source.ts";
import type { FindPod } from "./local_pods.ts";
import type { ProcessTable } from "./process_guard.ts";
import { SpireAuthority } from "./spire_authority.ts";

/** What an authority needs besides its settings. */
export interface SpireSurroundings {
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: WriteLine;
  /** Finds pods that the CNI agent has announced. */
  readonly findPod: FindPod;
  readonly processes: ProcessTable;
  /** SPIFFE id of the proxy's own workload; null: not known. */
  readonly own: SpiffeId | null;
}

/**
 * ms. A Go server closes a connection that has three pings within five minutes without data in between, and an agent may
 * send no data for half an hour. On Unix sockets the kernel reports when the other side has closed.
 */
export const KEEPALIVE = { interval: 330_000, timeout: 20_000 };

/**
 * Returns the authority, which connects at once. `clusterDomain`: SPIRE's trust domain. Throws {@link CertificateError}
 * where it is not valid.
 */
export function openSpire(settings: SpireSettings, clusterDomain: string, around: SpireSurroundings): SpireAuthority {
  const { clock, random, log } = around;
  const trustDomain = checkedDomain(clusterDomain);
  warnIfOpen(settings.adminSocketPath, log);
  const api = new DelegatedApi(unixChannel(settings.adminSocketPath, clock), settings.adminSocket);
  const source = delegatedSource({ api, naming: naming(settings, around), trustDomain, clock, random, log });
  const { timeout, concurrency } = settings;
  return new SpireAuthority({ source, trustDomain, clock, random, timeout, concurrency, log });
}

/** Warns where any user could replace the agent's socket (`docs/spec/identity-spire.md` S29). */
export function warnIfOpen(socket: string, log: WriteLine): void {
  const folder = socket.slice(0, socket.lastIndexOf("/")) || "/";
  const mode = modeOf(folder);
  const sticky = 0o1000, others = 0o002;
  if (mode === null || !(mode & others) || mode & sticky) return;
  log(
    "warn",
    `${folder}, which contains the socket ${socket}, is writable by everyone: any process can replace the agent`,
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

/** Returns the trust domain; throws {@link CertificateError} where it is not valid. */
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

/** Returns the container runtime of the settings. */
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

/** Returns a plaintext channel to a Unix socket. */
export function unixChannel(path: string, clock: WallClock): GrpcChannel {
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
