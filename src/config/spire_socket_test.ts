import { strict as assert } from "node:assert";
import { formatEndpointSocket, parseEndpointSocket, type SocketRules } from "./spire_socket.ts";

const WORKLOAD: SocketRules = { tcpHost: "address" };
const BROKER: SocketRules = { tcpHost: "address or name" };

const ACCEPTED: readonly (readonly [id: string, text: string, rules: SocketRules, dialled: string])[] = [
  ["P23", "unix:///foo", WORKLOAD, "unix:///foo"],
  ["P23", "tcp://1.2.3.4:80", WORKLOAD, "tcp://1.2.3.4:80"],
  ["P24f", "unix:/tmp/spire-agent/public/api.sock", WORKLOAD, "unix:///tmp/spire-agent/public/api.sock"],
  ["4.1 bare path", "/run/spire/admin.sock", WORKLOAD, "unix:///run/spire/admin.sock"],
  ["4.1 escapes", "unix:///run/a%20b.sock", WORKLOAD, "unix:///run/a b.sock"],
  ["4.1 IPv6", "tcp://[::1]:80/", WORKLOAD, "tcp://[::1]:80"],
  ["5.1 name", "tcp://broker.spire:8443", BROKER, "tcp://broker.spire:8443"],
];
for (const [id, text, rules, dialled] of ACCEPTED) {
  Deno.test(`identity ${id}: endpoint socket ${text}`, () => {
    const result = parseEndpointSocket(text, rules);
    assert.ok(result.ok);
    assert.equal(formatEndpointSocket(result.value), dialled);
  });
}

const NO_URI = "endpoint socket is not a valid URI";
const NO_PATH = "unix:// endpoint socket URI must include a path";
const NO_ADDRESS = "tcp:// endpoint socket URI host must be an IP:port";
const TCP_PATH = "tcp:// endpoint socket URI must not include a path";
const REFUSED: readonly (readonly [id: string, text: string, rules: SocketRules, reason: string])[] = [
  ["P24", " ", WORKLOAD, NO_URI],
  ["P24", "foo", WORKLOAD, NO_URI],
  ["P24", "", WORKLOAD, NO_URI],
  ["P24a", "other:///path", WORKLOAD, "endpoint socket URI scheme must be tcp:// or unix://"],
  ["P24b", "unix://", WORKLOAD, NO_PATH],
  ["P24b", "unix:///", WORKLOAD, NO_PATH],
  ["P24b", "unix://foo", WORKLOAD, NO_PATH],
  ["P24c", "unix:///foo?whatever", WORKLOAD, "endpoint socket URI must not include query values"],
  ["P24c", "unix:///foo#whatever", WORKLOAD, "endpoint socket URI must not include a fragment"],
  ["P24c", "unix://john:doe@foo/path", WORKLOAD, "endpoint socket URI must not include user info"],
  ["P24d", "tcp://1.2.3.4:80/path", WORKLOAD, TCP_PATH],
  ["P24e", "tcp://foo:80", WORKLOAD, NO_ADDRESS],
  ["P24e", "tcp://foo", WORKLOAD, NO_ADDRESS],
  ["P24e", "tcp://1.2.3.4", WORKLOAD, NO_ADDRESS],
  ["4.1", "tcp://", WORKLOAD, "tcp:// endpoint socket URI must include a host"],
  ["B12", "unix://auth/x", BROKER, "unix:// endpoint socket URI must not include a host (three slashes: unix:///path)"],
  ["B12", "unix:rel", BROKER, NO_PATH],
  ["B12", "tcp://h:1/p", BROKER, TCP_PATH],
  ["4.1", `unix:///${"x".repeat(107)}`, WORKLOAD, "socket path of 108 bytes is longer than 107"],
];
for (const [id, text, rules, reason] of REFUSED) {
  Deno.test(`identity ${id}: endpoint socket ${JSON.stringify(text.slice(0, 40))} is refused`, () => {
    assert.deepEqual(parseEndpointSocket(text, rules), { ok: false, reason });
  });
}
