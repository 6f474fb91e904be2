/**
 * Peers that break the protocols, with a running proxy. Each is refused and gets one log line with the reason. No
 * descriptor stays open, and the proxy serves the next peer.
 */
import type { OutgoingHttpHeaders } from "node:http2";
import * as build from "../src/identity/certificate_builder.ts";
import { HOUR } from "../src/identity/testkit/certificates.ts";
import { resettingApp, serveApp } from "../testkit/apps.ts";
import { credential, foreignCa } from "../testkit/credentials.ts";
import { exchange, handshake, HbonePeer, type TlsOptions } from "../testkit/hbone_peer.ts";
import { identityOf } from "../lab/mesh.ts";
import { inTime } from "../lab/eventually.ts";
import {
  closed,
  type ExpectedLine,
  failed,
  IP,
  type PeerOutcome,
  raw,
  refused,
  sendAndClose,
  Victim,
} from "../testkit/victim.ts";

/** RFC 9113 §7 */
const NO_ERROR = 0, REFUSED_STREAM = 7, CONNECT_ERROR = 10;
/** Length of "no HTTP/2 connection preface", what a GOAWAY ends with. */
const GOAWAY_TEXT = 28;

function badHandshake(options: (victim: Victim) => TlsOptions): (victim: Victim) => Promise<PeerOutcome> {
  return async (victim) => {
    const { from, reason } = await handshake(victim.inbound, options(victim));
    return { from, seen: reason };
  };
}

function showing(
  uri: string,
  options: Parameters<typeof credential>[2] = {},
): (victim: Victim) => Promise<PeerOutcome> {
  return badHandshake(({ ca }) => ({ credential: credential(ca, uri, options) }));
}

function badRequest(headers: (victim: Victim) => OutgoingHttpHeaders): (victim: Victim) => Promise<PeerOutcome> {
  return async (victim) => {
    await using peer = await HbonePeer.connect(victim.inbound, victim.good);
    const stream = peer.request(headers(victim));
    return { from: peer.from, seen: await stream.status };
  };
}

const text = (value: string) => new TextEncoder().encode(value);

/** The TLS connection is open, but the next bytes are not HTTP/2. The proxy answers in HTTP/2. */
function speaking(bytes: string): (victim: Victim) => Promise<PeerOutcome> {
  return async ({ inbound, good }) => {
    const { from, received } = await exchange(inbound, { credential: good }, bytes);
    return { from, seen: received.slice(-GOAWAY_TEXT) };
  };
}

/** Name, action, what the peer receives, what is logged. */
const CASES: readonly (readonly [string, (victim: Victim) => Promise<PeerOutcome>, unknown, ExpectedLine | null])[] = [
  [
    "no certificate",
    badHandshake(() => ({ credential: null })),
    "received fatal alert: CertificateRequired",
    refused(/^tls handshake error: the peer sent no certificate$/),
  ],
  [
    "a certificate of another CA",
    badHandshake(() => ({ credential: credential(foreignCa(), identityOf("a")) })),
    "received fatal alert: UnknownCA",
    refused(/^tls handshake error: .*unable to get local issuer certificate \(it claims to be spiffe:\S+\/sa\/a\)$/),
  ],
  [
    "an expired certificate",
    showing(identityOf("a"), { notBefore: Date.now() - 2 * HOUR, notAfter: Date.now() - HOUR }),
    "received fatal alert: CertificateExpired",
    refused(
      /^tls handshake error: .*certificate has expired \(it claims to be .*and the clock of this node says \S+Z$/,
    ),
  ],
  [
    "a certificate of tomorrow",
    showing(identityOf("a"), { notBefore: Date.now() + HOUR, notAfter: Date.now() + 2 * HOUR }),
    // The first is OpenSSL's, the second that of the other libraries.
    /^received fatal alert: (BadCertificate|CertificateExpired)$/,
    refused(
      /^tls handshake error: .*certificate is not yet valid \(it claims to be .*and the clock of this node says \S+Z$/,
    ),
  ],
  [
    "another trust domain",
    showing("spiffe://elsewhere/ns/test/sa/a"),
    "received fatal alert: BadCertificate",
    refused(
      /peer did not present the expected trustdomain \(cluster\.local\), got spiffe:\/\/elsewhere\/ns\/test\/sa\/a$/,
    ),
  ],
  [
    "two URI names, observed O34",
    showing("", { names: [build.uriAltNames(identityOf("a"), identityOf("c"))] }),
    "received fatal alert: BadCertificate",
    refused(/^tls handshake error: peer certificate has 2 URI names, exactly one is allowed$/),
  ],
  [
    "no URI name",
    showing("", { names: [] }),
    "received fatal alert: BadCertificate",
    refused(/^tls handshake error: peer certificate has no URI name, so no SPIFFE id$/),
  ],
  [
    "a URI name that is no SPIFFE id, observed O34",
    showing(`${identityOf("a")}?admin`),
    "received fatal alert: BadCertificate",
    refused(/^tls handshake error: invalid SPIFFE id "spiffe:.*\?admin": /),
  ],
  [
    "TLS 1.2",
    badHandshake(({ good }) => ({ credential: good, version: "TLSv1.2" })),
    "received fatal alert: ProtocolVersion",
    refused(/^tls handshake error: unsupported protocol$/),
  ],
  [
    "another application protocol",
    badHandshake(({ good }) => ({ credential: good, alpn: ["http/1.1"] })),
    "received fatal alert: NoApplicationProtocol",
    refused(/^tls handshake error: no application protocol$/),
  ],
  [
    "no application protocol, dataplane 2.1",
    badHandshake(({ good }) => ({ credential: good, alpn: [] })),
    "received fatal alert: NoApplicationProtocol",
    refused(/^tls handshake error: the client offers no application protocol \(ALPN\), h2 is required$/),
  ],
  [
    "no TLS",
    ({ inbound }) => raw(inbound, text("GET / HTTP/1.1\r\nhost: b\r\n\r\n")),
    "", // nothing that an HTTP client could read as a response
    refused(/^tls handshake error: /),
  ],
  [
    "a connection and nothing else",
    async ({ inbound }) => ({ from: await sendAndClose(inbound, ""), seen: null }),
    null,
    refused(/^tls handshake error: the peer closed the connection during the TLS handshake$/),
  ],
  [
    "half a handshake",
    async ({ inbound }) => ({ from: await sendAndClose(inbound, "\x16\x03\x01\x00\xda\x01"), seen: null }),
    null,
    refused(/^tls handshake error: the peer closed the connection during the TLS handshake$/),
  ],
  [
    "HTTP/1.1 inside of TLS",
    speaking("GET / HTTP/1.1\r\nhost: b\r\n\r\n"),
    "no HTTP/2 connection preface",
    closed("no HTTP/2 connection preface"),
  ],
  [
    "a preface and no SETTINGS",
    speaking("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0\0\0\x01\0\0\0\0\0"),
    "first frame is not SETTINGS".padStart(GOAWAY_TEXT, "\x01"),
    closed("first frame is not SETTINGS"),
  ],
  [
    // HTTP/2 ends the stream alone, below what is logged (dataplane 2.3).
    "more headers than we take",
    async ({ inbound, good, app }) => {
      await using peer = await HbonePeer.connect(inbound, good);
      const stream = peer.request({ ":authority": app.authority, "x-long": "x".repeat(70_000) });
      return { from: peer.from, seen: [await stream.status, await stream.resetCode()] };
    },
    [null, REFUSED_STREAM],
    null,
  ],
  [
    "another protocol on the SOCKS5 port",
    async ({ proxy }) => await raw(await proxy.place("socks5"), text("GET / HTTP/1.1\r\n\r\n")),
    "05070001000000000000",
    {
      level: "warn",
      scope: "proxy::socks5",
      message: "failed to negotiate socks connection: CommandNotSupported: unsupported version 71",
      error: null,
      anonymous: true,
    },
  ],
  [
    "the outbound port without redirection",
    async ({ proxy }) => await raw(await proxy.place("outbound"), text("hello")),
    "",
    refused(/^attempted recursive call to ourselves$/),
  ],
  [
    "the inbound plaintext port without redirection",
    async ({ proxy }) => await raw(await proxy.place("inbound plaintext"), text("hello")),
    "",
    refused(/^attempted recursive call to ourselves$/),
  ],
  [
    "a connection for another address",
    badRequest(() => ({ ":authority": "10.9.9.9:80" })),
    400,
    refused(/^ip mismatch: 127\.0\.0\.3 != 10\.9\.9\.9$/),
  ],
  [
    "a connection to the proxy itself",
    badRequest(({ inbound }) => ({ ":authority": `${IP}:${inbound.port}` })),
    503,
    refused(/^attempted recursive call to ourselves$/),
  ],
  [
    "another method",
    badRequest(({ app }) => ({ ":method": "GET", ":scheme": "https", ":path": "/", ":authority": app.authority })),
    400,
    refused(/^expected method CONNECT, got GET$/),
  ],
  [
    "an authority without a port",
    badRequest(() => ({ ":authority": "shop" })),
    400,
    refused(/^no valid authority pseudo header: shop$/),
  ],
  [
    "an authority with an impossible port",
    badRequest(() => ({ ":authority": `${IP}:99999` })),
    400,
    refused(/^no valid authority pseudo header: 127\.0\.0\.3:99999$/),
  ],
  [
    "an identity that the policy does not allow, config C51",
    async ({ inbound, ca, app }) => {
      await using peer = await HbonePeer.connect(inbound, credential(ca, identityOf("c")));
      return { from: peer.from, seen: await peer.request({ ":authority": app.authority }).status };
    },
    401,
    failed(/^connection closed due to policy rejection: allow policies exist, but none allowed$/),
  ],
];

Deno.test("bad peers: each is refused with a reason, logged once, and leaves nothing open", async (t) => {
  await using victim = await Victim.start();
  for (const [name, act, seen, told] of CASES) await t.step(name, () => victim.checkPeer(act, seen, told));
});

Deno.test("bad peers: applications that do not exist or refuse connections", async (t) => {
  await using victim = await Victim.start();
  await t.step("no application listens on the port", async () => {
    const closed = Deno.listen({ hostname: IP, port: 0 });
    closed.close();
    const request = badRequest(() => ({ ":authority": `${IP}:${closed.addr.port}` }));
    await victim.checkPeer(request, 503, failed(/^connection failed: Connection refused \(os error 111\)$/));
  });
  await t.step("the app resets", async () => {
    await using app = await resettingApp(IP);
    await victim.checkPeer(
      async ({ inbound, good }) => {
        await using peer = await HbonePeer.connect(inbound, good);
        const tunnel = await peer.tunnel(app.authority);
        tunnel.send("x".repeat(1000));
        return { from: peer.from, seen: [await tunnel.rest(), await tunnel.resetCode()] };
      },
      ["", CONNECT_ERROR],
      { level: "info", message: "connection complete", error: null },
    );
  });
  await t.step("the app closes with unread data: FIN followed by RST", async () => {
    await using app = serveApp(IP, async (connection) => void await connection.read(new Uint8Array(1)));
    await victim.checkPeer(
      async ({ inbound, good }) => {
        await using peer = await HbonePeer.connect(inbound, good);
        const tunnel = await peer.tunnel(app.authority);
        tunnel.send("x".repeat(1000));
        // The peer sends nothing more; the tunnel must end nevertheless.
        return { from: peer.from, seen: [await tunnel.rest(), await tunnel.resetCode()] };
      },
      ["", NO_ERROR],
      { level: "info", message: "connection complete", error: null },
    );
  });
  await t.step("the peer vanishes while the app waits, observed O28", async () => {
    const accepted = Promise.withResolvers<void>();
    const seen = Promise.withResolvers<string>();
    await using app = serveApp(IP, async (connection) => {
      accepted.resolve();
      try {
        const end = await connection.read(new Uint8Array(1));
        seen.resolve(end === null ? "end" : "data");
      } catch {
        seen.resolve("reset");
      }
    });
    await victim.checkPeer(
      async ({ inbound, good }) => {
        const peer = await HbonePeer.connect(inbound, good);
        await peer.tunnel(app.authority);
        // A connection that is reset before it is accepted never reaches the app.
        await inTime("the app's connection", accepted.promise);
        const { from } = peer;
        await peer[Symbol.asyncDispose]();
        return { from, seen: await inTime("its end at the app", seen.promise) };
      },
      "reset",
      failed(/./),
    );
  });
});
