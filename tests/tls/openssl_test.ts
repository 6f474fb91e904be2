/** Our ends with the client and the server of the openssl command. */
import { strict as assert } from "node:assert";
import { testNeeding } from "../../lab/needs.ts";
import { Program } from "../../lab/program.ts";
import { type Ip, LOOPBACK_V4, type SocketAddress } from "../../src/net/address.ts";
import { Pump } from "../../src/net/testkit/contract_kit.ts";
import {
  authority,
  client,
  CLIENT_ID,
  credential,
  OpensslFiles,
  root,
  sClient,
  server,
  type TlsRig,
  withTls,
} from "./rig.ts";

const needs = { packages: ["openssl"] } as const;
const H2 = ["-alpn", "h2"] as const;
const NOTHING = new Uint8Array(0);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (what: string) => new TextEncoder().encode(what);

testNeeding(
  needs,
  "TLS with openssl s_client: a handshake, bytes both ways, no tickets (observed O37)",
  () =>
    withTls(async (rig) => {
      using files = new OpensslFiles();
      const { listener, outcomes, address } = rig.listen(rig.context(server));
      const session = files.path("session");
      await using program = sClient(address, [
        ...files.identity("client", client),
        "-CAfile",
        files.certificates("root", root.certificate),
        ...[...H2, "-verify_return_error", "-sess_out", session, "-msg"],
      ], "echo question; exec tail -f /dev/null");
      await program.line(/Verify return code: 0 \(ok\)/);
      await rig.sockets.run(() => outcomes.length > 0);
      const { duplex } = outcomes[0]!;
      const reader = new Pump(rig.sockets.network, duplex!, NOTHING, { end: false });
      await rig.sockets.run(() => text(reader.bytes) === "question\n");
      duplex!.write(bytes("answer\n"));
      duplex!.end();
      await program.line(/^answer/);
      // The client ends when it receives our close_notify.
      const { output } = await program.ended();
      assert.doesNotMatch(output, /NewSessionTicket|Post-Handshake New Session Ticket/);
      assert.match(output, /ALPN protocol: h2/);
      assert.throws(() => Deno.statSync(session), Deno.errors.NotFound);
      listener.close();
    }),
);

testNeeding(needs, "TLS with openssl s_server: a handshake, bytes both ways, no SNI", () =>
  withTls(async (rig) => {
    using files = new OpensslFiles();
    await using program = sServer(files, [...H2, "-rev", "-tlsextdebug"]);
    const outcome = await rig.connect(await portOf(program), rig.context(client));
    assert.deepEqual(outcome.peer?.chain, [server.chain[0], root.certificate]);
    const pump = new Pump(rig.sockets.network, outcome.duplex!, bytes("drow\n"), { end: false });
    await rig.sockets.run(() => text(pump.bytes) === "word\n");
    const { output } = await program.stop("SIGINT");
    assert.match(output, /TLS client extension "application layer protocol negotiation"/);
    assert.doesNotMatch(output, /TLS client extension "server name"/);
  }));

testNeeding(
  needs,
  "TLS with openssl s_server: tickets and key updates, with and without a request for ours",
  () =>
    withTls(async (rig) => {
      using files = new OpensslFiles();
      // The program takes commands when they come alone, and from when it has a connection.
      const input = "for word in one k two K three; do sleep 0.2; echo $word; done; exec tail -f /dev/null";
      const [, ...args] = sServerArgs(files, [...H2, "-num_tickets", "3", "-msg"]);
      await using program = new Program("sh", { args: ["-c", `(${input}) | openssl s_server ${args.join(" ")}`] });
      const { duplex } = await rig.connect(await portOf(program), rig.context(client));
      const pump = new Pump(rig.sockets.network, duplex!, NOTHING, { end: false });
      await rig.sockets.run(() => text(pump.bytes).endsWith("three\n"));
      assert.equal(text(pump.bytes), "one\ntwo\nthree\n");
      duplex!.write(bytes("answer\n"));
      await program.line(/^answer/);
      duplex!.close();
      const printed = program.printed.join("\n");
      assert.equal(printed.match(/>>> .*NewSessionTicket/g)?.length, 3);
      assert.equal(printed.match(/>>> .*KeyUpdate/g)?.length, 2);
      assert.equal(printed.match(/<<< .*KeyUpdate/g)?.length, 1);
    }),
);

testNeeding(needs, "identity T6: a server that speaks http/1.1 only", () =>
  withTls(async (rig) => {
    using files = new OpensslFiles();
    await using program = sServer(files, ["-alpn", "http/1.1", "-rev"]);
    const { ending } = await rig.connect(await portOf(program), rig.context(client));
    assert.equal(ending?.code, "TLS_ALERT");
    assert.equal(ending?.message, "the peer sent TLS alert no_application_protocol");
  }));

testNeeding(needs, "dataplane 2.1: a server without ALPN is left", () =>
  withTls(async (rig) => {
    using files = new OpensslFiles();
    await using program = sServer(files, ["-rev"]);
    const { ending } = await rig.connect(await portOf(program), rig.context(client));
    assert.equal(ending?.code, "TLS_HANDSHAKE");
    assert.equal(ending?.message, "the peer agrees to no application protocol (ALPN), h2 is required");
  }));

testNeeding(needs, "TLS with openssl s_server: one that knows TLS 1.2 only", () =>
  withTls(async (rig) => {
    using files = new OpensslFiles();
    await using program = sServer(files, ["-tls1_2", "-rev"]);
    const { ending } = await rig.connect(await portOf(program), rig.context(client));
    assert.equal(ending?.code, "TLS_ALERT");
    assert.match(ending!.message, /protocol_version/);
  }));

interface Refused {
  readonly what: string;
  readonly args: (files: OpensslFiles) => readonly string[];
  /** The alert, as openssl prints it. */
  readonly alert: RegExp;
  readonly code: string;
  readonly text: RegExp;
}

const refused: readonly Refused[] = [
  {
    what: "identity T11: no certificate",
    args: () => H2,
    alert: /alert certificate required/,
    code: "TLS_NO_CERTIFICATE",
    text: /sent no certificate/,
  },
  {
    what: "identity T7: TLS 1.2",
    args: (files) => [...H2, "-tls1_2", ...files.identity("client", client)],
    alert: /alert protocol version/,
    code: "TLS_HANDSHAKE",
    text: /unsupported protocol/,
  },
  {
    what: "identity T6: ALPN http/1.1",
    args: (files) => ["-alpn", "http/1.1", ...files.identity("client", client)],
    alert: /alert no application protocol/,
    code: "TLS_HANDSHAKE",
    text: /no application protocol/,
  },
  {
    what: "dataplane 2.1: no ALPN",
    args: (files) => files.identity("client", client),
    alert: /alert no application protocol/,
    code: "TLS_HANDSHAKE",
    text: /^the client offers no application protocol \(ALPN\), h2 is required$/,
  },
  {
    what: "identity T8: ChaCha20 only",
    args: (files) => [...H2, "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", ...files.identity("client", client)],
    alert: /alert handshake failure/,
    code: "TLS_HANDSHAKE",
    text: /no shared cipher/,
  },
  {
    what: "a group that is not supported",
    args: (files) => [...H2, "-groups", "ffdhe2048", ...files.identity("client", client)],
    alert: /alert handshake failure/,
    code: "TLS_HANDSHAKE",
    text: /no suitable key share|no suitable groups|no shared group/,
  },
  {
    what: "an unknown authority",
    args: (files) => [...H2, ...files.identity("client", credential(authority("other"), CLIENT_ID))],
    alert: /alert unknown ca/,
    code: "TLS_CERTIFICATE",
    text: /unable to get local issuer certificate/,
  },
];

for (const { what, args, alert, code, text } of refused) {
  testNeeding(needs, `TLS refuses openssl s_client: ${what}`, () =>
    withTls(async (rig) => {
      using files = new OpensslFiles();
      const { listener, outcomes, address } = rig.listen(rig.context(server, { groups: "X25519:P-256" }));
      await using program = sClient(address, args(files));
      await program.line(alert);
      await rig.sockets.run(() => outcomes.length > 0);
      const ending = outcomes[0]!.ending;
      assert.equal(ending?.code, code);
      assert.match(ending!.message, text);
      await goesOn(rig, files, address);
      listener.close();
    }));
}

testNeeding(needs, "identity T7: TLS 1.2 where it is allowed, and only with its suites", () =>
  withTls(async (rig) => {
    using files = new OpensslFiles();
    const tls12Ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256";
    const { listener, outcomes, address } = rig.listen(rig.context(server, { tls12Ciphers }));
    const identity = files.identity("client", client);
    await using program = sClient(address, [...H2, "-tls1_2", ...identity], "echo hi; exec tail -f /dev/null");
    await program.line(/Protocol\s*: TLSv1.2/);
    await rig.sockets.run(() => outcomes.length > 0);
    const { duplex, peer } = outcomes[0]!;
    assert.equal(peer?.version, "TLSv1.2");
    assert.equal(peer?.cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
    const pump = new Pump(rig.sockets.network, duplex!, NOTHING, { end: false });
    await rig.sockets.run(() => text(pump.bytes) === "hi\n");
    await using weak = sClient(address, [...H2, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA", ...identity]);
    await weak.line(/alert handshake failure/);
    listener.close();
  }));

testNeeding(
  needs,
  "TLS: a client that offers a ticket of another server gets a full handshake",
  () =>
    withTls(async (rig) => {
      using files = new OpensslFiles();
      const session = files.path("session");
      await using program = sServer(files, ["-rev"]);
      const elsewhere = await portOf(program);
      const identity = files.identity("client", client);
      await using first = sClient(elsewhere, [...H2, ...identity, "-sess_out", session]);
      await first.line(/Post-Handshake New Session Ticket arrived/);
      const { listener, outcomes, address } = rig.listen(rig.context(server));
      await using second = sClient(address, [...H2, ...identity, "-sess_in", session]);
      await second.line(/^New, TLSv1.3/);
      await rig.sockets.run(() => outcomes.length > 0);
      assert.deepEqual(outcomes[0]!.peer?.chain[0], client.chain[0]);
      listener.close();
    }),
);

/** Checks that the listener still serves good clients. */
async function goesOn(rig: TlsRig, files: OpensslFiles, address: SocketAddress): Promise<void> {
  await using program = sClient(address, [...H2, ...files.identity("good", client)]);
  await program.line(/^New, TLSv1.3/);
  assert.ok((await rig.connect(address, rig.context(client))).duplex !== undefined);
}

function sServer(files: OpensslFiles, args: readonly string[]): Program {
  return new Program("openssl", { args: sServerArgs(files, args) });
}

function sServerArgs(files: OpensslFiles, args: readonly string[]): string[] {
  const identity = files.identity("server", server);
  const trust = ["-Verify", "3", "-verify_return_error", "-CAfile", files.certificates("root", root.certificate)];
  return ["s_server", "-accept", "127.0.0.1:0", ...identity, ...trust, ...args];
}

async function portOf(program: Program): Promise<SocketAddress> {
  const [, port] = await program.line(/^ACCEPT .*:(\d+)$/);
  return { ip: LOOPBACK_V4 as Ip, port: Number(port) };
}
