/** SMTP, where the server speaks first: a conversation sent in one piece, STARTTLS, and a large message. */
import { strict as assert } from "node:assert";
import { commandName } from "../../lab/commands.ts";
import { run as runProgram } from "../../lab/program.ts";
import type { Application, AppRun } from "../../testkit/applications.ts";

const PORT = 2525;
const SIZE = 2_000_000;
const FROM = "sender@mail.test", TO = "recipient@mail.test";
const ENVELOPE = ["EHLO client.test", `MAIL FROM:<${FROM}>`, `RCPT TO:<${TO}>`, "DATA"];
/** Commands that a client sends without waiting for the answers, with two messages and one command that is unknown. */
const PIPELINED = [
  ...ENVELOPE.slice(0, -1),
  "RCPT TO:<other@mail.test>",
  "DATA",
  "Subject: one",
  "",
  ".. begins with a dot",
  ".",
  "UNKNOWN",
  `MAIL FROM:<${FROM}>`,
  `RCPT TO:<${TO}>`,
  "DATA",
  "Subject: two",
  "",
  ".",
  "QUIT",
];

export const SMTP: Application = {
  name: "SMTP",
  packages: ["aiosmtpd", "msmtp", "nc", "openssl"],
  async check(run) {
    const mail = await serve(run);
    // Without -N, since this server stops answering when the client ends its direction.
    const replies = await run.same(`${said(PIPELINED)} | ${commandName("nc")} ${run.ip} ${PORT}`);
    const codes = [...replies.matchAll(/^(\d+) /gm)].map(([, code]) => code);
    assert.equal(codes.join(" "), "220 250 250 250 250 354 250 500 250 250 354 250 221");

    const message = `${run.folder}/message`;
    const zero = "0".repeat(32);
    const noise =
      `openssl enc -aes-128-ctr -K ${zero} -iv ${zero} -in /dev/zero 2>/dev/null | head -c ${SIZE} | base64`;
    await run.server.run("sh", "-ec", `{ printf 'Subject: large\\n\\n'; ${noise}; } > ${message}`);
    const body = "sed '1,/^$/d'";
    const sent = await run.server.run("sh", "-ec", `${body} ${message} | sha256sum`);
    const clients = {
      plain: `msmtp --host=${run.ip} --port=${PORT} --from=${FROM} ${TO} < ${message}`,
      // Most clients close a TLS connection without reading its end, so that it may be reset: this one reads it.
      STARTTLS: `{ ${said(ENVELOPE)}; sed 's/$/\\r/' ${message}; ${said([".", "QUIT"])}; } |
        openssl s_client -quiet -starttls smtp -connect ${run.ip}:${PORT} >/dev/null 2>&1`,
    };
    for (const [name, send] of Object.entries(clients)) {
      const received = await run.same(`rm -f ${mail}/*; ${send}; ${body} ${mail}/* | sha256sum`);
      assert.equal(received, sent, name);
    }
  },
};

/** The command that prints these lines. */
function said(lines: readonly string[]): string {
  return `printf '%s\\r\\n' ${lines.map((line) => `'${line}'`).join(" ")}`;
}

/** Starts the server. Returns the folder in which each message becomes a file. */
async function serve(run: AppRun): Promise<string> {
  const { folder } = run;
  const key = `${folder}/key.pem`, cert = `${folder}/cert.pem`;
  await runProgram(
    "openssl",
    ..."req -x509 -newkey rsa:2048 -nodes -subj /CN=mail.test -keyout".split(" "),
    key,
    "-out",
    cert,
  );
  const tls = ["--tlskey", key, "--tlscert", cert, "--no-requiretls"];
  const handler = ["-c", "aiosmtpd.handlers.Mailbox", `${folder}/mail`];
  await run.serve("aiosmtpd", ["-n", "-dd", "-l", `${run.ip}:${PORT}`, ...tls, ...handler], /Server is listening on/);
  return `${folder}/mail/new`;
}
