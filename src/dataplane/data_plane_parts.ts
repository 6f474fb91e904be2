/** What the data plane of one isolate gets from its owner. */
import type { Config } from "../config/config.ts";
import type { ConfigFiles } from "../config/files.ts";
import type { CertificateSubject } from "../identity/authority.ts";
import type { Ip } from "../net/address.ts";
import type { Network } from "../net/network.ts";
import type { PortRange } from "../net/source_ports.ts";
import type { OnSurplus } from "../net/surplus.ts";
import type { TlsContext, TlsSettings } from "../net/tls_context.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** What a data plane is made of. */
export interface DataPlaneParts {
  readonly config: Config;
  readonly network: Network;
  readonly log: Log;
  readonly metrics: Metrics;
  makeContext(settings: TlsSettings): TlsContext;
  /** Asks main for a certificate. The answer arrives by `setCertificate` or `certificateFailed`. */
  requestCertificate(subject: CertificateSubject): void;
  /** Asks the control plane for what has a name. The result arrives by `DataPlane.lookups`. */
  requestLookup(name: string): void;
  /** Several isolates share the listeners by SO_REUSEPORT. */
  readonly sharedListeners: boolean;
  /** Default: those of the machine. */
  readonly files?: ConfigFiles;
  /** The addresses that a network namespace has, by its descriptor. Default: read from the kernel. */
  readonly addresses?: (namespace: number) => readonly Ip[];
  /** Source ports for dials of applications in a namespace, without `excluded`. Default: read from the kernel. */
  readonly portsBelow?: (namespace: number | undefined, excluded: Iterable<number>) => PortRange | null;
  /** ms since the epoch. */
  readonly wallClock: () => number;
  readonly random: () => number;
  /** Of the hashes of names and addresses in the mesh. */
  readonly hashSeed: number;
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** Default: free buffers are kept. */
  readonly onSurplus?: OnSurplus;
}

/** A pod of shared mode. */
export interface PodHome {
  /** Descriptor of its network namespace, which the caller owns and keeps open while the pod is served. */
  readonly namespace: number;
  readonly uid: string;
}
