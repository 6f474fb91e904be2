import { strict as assert } from "node:assert";
import { tempDir } from "../../../lab/temp_dir.ts";
import { Code, GrpcError } from "../../grpc/status.ts";
import { ADMIN_SOCKET, explainFailure } from "./explain_failure.ts";

const names = { ...ADMIN_SOCKET, socket: "unix:///run/spire/sockets/admin.sock" };

function text(error: unknown): string {
  return explainFailure(error, "Failed to stream X.509 SVIDs", names).message;
}

function connect(cause: string): GrpcError {
  return new GrpcError(Code.Unavailable, "client error (Connect)", "connect", `unix socket /run/x: ${cause}`);
}

const AT = "Failed to stream X.509 SVIDs: cannot reach the SPIRE agent at unix:///run/spire/sockets/admin.sock: ";

Deno.test("identity 4.1, S29: a socket that is missing, without a listener, not accessible, or another file", () => {
  assert.equal(
    text(connect("No such file or directory (os error 2)")),
    `${AT}unix socket /run/x: No such file or directory (os error 2); no such socket: SPIRE_ADMIN_ENDPOINT_SOCKET ` +
      "must be the path of admin_socket_path in the agent's configuration, mounted into the proxy's pod",
  );
  assert.match(text(connect("Connection refused (os error 111)")), /no process listens on it: is it running\?$/);
  assert.match(text(connect("Permission denied (os error 13)")), /must run as root, or in the group/);
  assert.match(text(connect("Not a socket (os error 88)")), /SPIRE_ADMIN_ENDPOINT_SOCKET names no socket$/);
});

Deno.test("identity P19, 10.3: a delegate that is not authorized", () => {
  const denied = (message: string) => text(new GrpcError(Code.PermissionDenied, message, "call"));
  assert.equal(
    denied("caller not configured as an authorized delegate"),
    "Failed to stream X.509 SVIDs: caller not configured as an authorized delegate; " +
      "put the proxy's SPIFFE id into authorized_delegates in the agent's configuration",
  );
  assert.match(denied("no identity issued"), /no registration entry fits the proxy's own pod/);
});

Deno.test("observed 5: the Workload API's socket instead of the admin socket", () => {
  const error = new GrpcError(Code.Unimplemented, "unknown service spire.api.agent.delegatedidentity", "call");
  assert.match(text(error), /SPIRE_ADMIN_ENDPOINT_SOCKET must name the socket of admin_socket_path/);
});

Deno.test("identity P18: other errors are passed on", () => {
  const answer = "must provide either selectors or non-zero PID, but not both";
  const error = explainFailure(new GrpcError(Code.InvalidArgument, answer, "call"), "x", names);
  assert.equal(error.message, `x: ${answer}`);
  assert.equal(error.code, "CONFIGURATION");
  assert.equal(
    text(new GrpcError(Code.Unavailable, "workload attestation failed", "call")).split(": ")[1],
    "workload attestation failed",
  );
  assert.match(text(new Error("boom")), /: boom$/);
});

Deno.test("observed O16, O25: a process that the agent cannot inspect counts as a temporary failure", () => {
  const internal = 'workload attestor "unix" failed: could not get process: process does not exist';
  for (
    const [status, answer] of [[Code.Unavailable, "workload attestation failed"], [Code.Internal, internal]] as const
  ) {
    assert.equal(explainFailure(new GrpcError(status, answer, "call"), "x", names).code, "NO_PROCESS");
  }
  assert.equal(explainFailure(new GrpcError(Code.Unavailable, "later", "call"), "x", names).code, "UNAVAILABLE");
});

Deno.test("identity 4.1: a folder or a file instead of the socket is named", () => {
  using folder = tempDir();
  const file = folder.write("admin.sock", "");
  const textFor = (path: string) =>
    explainFailure(connect("Connection refused (os error 111)"), "x", { ...names, socket: `unix://${path}` }).message;
  assert.match(textFor(folder.path), /; it is a folder and no socket: SPIRE_ADMIN_ENDPOINT_SOCKET must be the path of/);
  assert.match(textFor(file), /; it is a plain file and no socket: /);
  assert.match(textFor("/nowhere/admin.sock"), /no process listens on it/);
});

Deno.test("identity 4.1: a peer that does not speak gRPC is recognised by the cause of the failure", () => {
  const cause = "the server closed the connection, before any HTTP/2; is unix:///run/x a gRPC port?";
  const error = new GrpcError(Code.Unknown, "connection to the server was lost", "call", cause);
  assert.equal(text(error), `Failed to stream X.509 SVIDs: connection to the server was lost: ${cause}`);
});

Deno.test("identity 5.3: a missing broker section in the attestor's configuration is explained", () => {
  const answer = 'workload attestor "k8s" failed: broker configuration missing';
  const error = explainFailure(new GrpcError(Code.Internal, answer, "call"), "x", names);
  assert.equal(error.code, "CONFIGURATION");
  assert.match(error.message, /WorkloadAttestor "k8s" of the agent needs experimental \{ broker/);
});
