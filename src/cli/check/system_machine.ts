/** This machine. */
import process from "node:process";
import { startTls } from "../../dataplane/tls_start.ts";
import { dial } from "../../grpc/dial.ts";
import { openConnection } from "../../grpc/connection.ts";
import { describeStatus, GrpcError } from "../../grpc/status.ts";
import { SYSTEM_CLOCK } from "../../net/clock.ts";
import { SystemError } from "../../os/errno.ts";
import { fileStatus, isWritable } from "../../os/file_status.ts";
import { descriptorLimit } from "../../os/limits.ts";
import { readSystemFile } from "../../os/system_files.ts";
import { bindProblem } from "./bind_problem.ts";
import type { FileText, Machine } from "./machine.ts";
import { ownerOfPort } from "./port_owner.ts";

const CONNECT_TIMEOUT = 5_000;
/** Bytes of a file that are read. */
const MOST = 8 * 1024 * 1024;

/** `bundledLibrary`: path of the TLS library that is shipped with the executable. */
export function systemMachine(bundledLibrary: string | undefined): Machine {
  return {
    now: () => Date.now(),
    uid: process.getuid?.() ?? 0,
    capabilities: capabilities(),
    descriptors: descriptorLimit(),
    bindProblem,
    portOwner: ({ port }) => ownerOfPort(port),
    read: readText,
    permissions(path) {
      return attempt(() => fileStatus(path).permissions);
    },
    socketProblem,
    tlsLibrary({ tls }) {
      try {
        return { version: startTls(tls, bundledLibrary).library };
      } catch (error) {
        return { problem: error instanceof Error ? error.message : String(error) };
      }
    },
    async connectProblem(path) {
      try {
        (await dial({ kind: "unix", path }, CONNECT_TIMEOUT, SYSTEM_CLOCK, new AbortController().signal)).destroy();
        return null;
      } catch (error) {
        return error instanceof GrpcError ? describeFailure(error) : String(error);
      }
    },
    async reachProblem(options) {
      try {
        (await openConnection(options, SYSTEM_CLOCK, new AbortController().signal)).close();
        return null;
      } catch (error) {
        return error instanceof GrpcError ? describeFailure(error) : String(error);
      }
    },
  };
}

/** The source of the failure where there is one: the message is `client error (Connect)` for all of them. */
function describeFailure(error: GrpcError): string {
  if (error.stage === "connect" && error.source !== null) return error.source;
  return error.stage === "setup"
    ? `${error.message}${error.source === null ? "" : `: ${error.source}`}`
    : describeStatus(error);
}

function capabilities(): bigint | null {
  const [, mask] = /^CapEff:\s*([0-9a-f]+)$/m.exec(attempt(() => readSystemFile("/proc/self/status")) ?? "") ?? [];
  return mask === undefined ? null : BigInt(`0x${mask}`);
}

function readText(path: string): FileText {
  try {
    return { text: readSystemFile(path, MOST) };
  } catch (error) {
    return { problem: reasonOf(error) };
  }
}

function socketProblem(path: string): string | null {
  try {
    if (!fileStatus(path).isSocket) return "it is not a socket";
    return isWritable(path) ? null : "this user may not connect to it";
  } catch (error) {
    return reasonOf(error);
  }
}

/** Without the name of the system call. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return error instanceof SystemError ? text.split(": ").at(-1)! : text;
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
