/**
 * Makes the errors of failed calls to the agent. Their text says what failed and which setting of which side must be
 * changed. The errors of agents are listed in `docs/spec/identity-spire.md` 4.2 and `docs/spec/real-peers-spire.md` 5.
 */
import { Code, codeDescription, GrpcError } from "../../grpc/status.ts";
import { CertificateError, type CertificateErrorCode } from "../../identity/authority.ts";

/** A socket and the settings of both sides in which it is configured. */
export interface SocketNames {
  /** `the SPIRE agent`. */
  readonly peer: string;
  /** The configured address. */
  readonly socket: string;
  /** The setting of the proxy: `SPIRE_ADMIN_ENDPOINT_SOCKET`. */
  readonly here: string;
  /** The setting of the agent: `admin_socket_path in the agent's configuration`. */
  readonly there: string;
}

/** The socket of the Delegated Identity API. */
export const ADMIN_SOCKET = {
  peer: "the SPIRE agent",
  here: "SPIRE_ADMIN_ENDPOINT_SOCKET",
  there: "admin_socket_path in the agent's configuration",
} as const;

/** Makes the error for a failed call. `doing`: its prefix, `Failed to stream X.509 SVIDs`. */
export function explainFailure(error: unknown, doing: string, names: SocketNames): CertificateError {
  if (error instanceof CertificateError) return error;
  if (!(error instanceof GrpcError)) {
    const text = error instanceof Error ? error.message : String(error);
    return new CertificateError(`${doing}: ${text}`, "UNAVAILABLE", { cause: error });
  }
  const [problem, code] = error.stage === "call" ? explainStatus(error, names) : explainConnect(error, names);
  return new CertificateError(`${doing}: ${problem}`, code, { cause: error });
}

type Explained = readonly [problem: string, code: CertificateErrorCode];

function explainConnect(error: GrpcError, { peer, socket, here, there }: SocketNames): Explained {
  const cause = error.source ?? error.message;
  return [`cannot reach ${peer} at ${socket}: ${cause}${connectHint(cause, socket, here, there)}`, "UNAVAILABLE"];
}

function connectHint(cause: string, socket: string, here: string, there: string): string {
  if (cause.includes("os error 2)")) {
    return `; no such socket: ${here} must be the path of ${there}, mounted into the proxy's pod`;
  }
  if (cause.includes("os error 111)")) {
    const other = otherThanSocket(socket.replace(/^unix:(?:\/\/(?=\/))?/, ""));
    if (other === null) return "; the socket exists but no process listens on it: is it running?";
    return `; it is ${other} and no socket: ${here} must be the path of ${there}`;
  }
  if (cause.includes("os error 13)")) return "; the proxy must run as root, or in the group that owns the socket";
  if (cause.includes("os error 88)") || cause.includes("os error 20)")) return `; ${here} names no socket`;
  return "";
}

/** What kind of file is at `path` instead; null: a socket, or `path` cannot be examined. */
function otherThanSocket(path: string): string | null {
  try {
    const { isDirectory, isFile } = Deno.statSync(path);
    return isDirectory ? "a folder" : isFile ? "a plain file" : null;
  } catch {
    return null;
  }
}

function explainStatus(error: GrpcError, { peer, here, there }: SocketNames): Explained {
  const message = error.message === "" ? codeDescription(error.code) : error.message;
  // Only the cause of the error shows that the server does not speak gRPC.
  const text = error.source === null ? message : `${message}: ${error.source}`;
  switch (error.code) {
    case Code.PermissionDenied:
      return [`${text}${deniedHint(text)}`, "DENIED"];
    case Code.Unimplemented: {
      const hint = text.includes("unknown service") ? `; ${here} must name the socket of ${there}` : "";
      return [`${text}${hint}`, "CONFIGURATION"];
    }
    case Code.InvalidArgument:
      return [text, "CONFIGURATION"];
    case Code.NotFound:
      return [text, "UNKNOWN_WORKLOAD"];
    case Code.DeadlineExceeded:
      return [`${peer} does not answer: ${text}`, "TIMEOUT"];
    case Code.Internal:
    case Code.Unavailable:
      if (text.includes("broker configuration missing")) return [`${text}${BROKER_HINT}`, "CONFIGURATION"];
      // The agent cannot inspect the process: it has ended, or the kubelet does not list it yet (observed.md O16, O25).
      return [text, NOT_ATTESTED.test(text) ? "NO_PROCESS" : "UNAVAILABLE"];
    default:
      return [text, "UNAVAILABLE"];
  }
}

const BROKER_HINT =
  '; the WorkloadAttestor "k8s" of the agent needs experimental { broker { access_policy, brokers } } ' +
  "in its plugin_data too";

/** The texts of the Delegated Identity API and of the Broker API. */
const NOT_ATTESTED = /workload attestation failed|workload attestor "[^"]*" failed/;

function deniedHint(text: string): string {
  if (text.includes("not configured as an authorized delegate")) {
    return "; put the proxy's SPIFFE id into authorized_delegates in the agent's configuration";
  }
  if (text.includes("no identity issued")) {
    return "; no registration entry fits the proxy's own pod, or the agent has just started and has not received it; " +
      "the entry's SPIFFE id must be in authorized_delegates in the agent's configuration";
  }
  return "";
}
