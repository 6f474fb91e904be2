/** SSH: a command with its exit code, data through it, port forwarding in both directions, and rsync over it. */
import { strict as assert } from "node:assert";
import { run as runProgram } from "../../lab/program.ts";
import type { Application, AppRun } from "../../testkit/applications.ts";

const PORT = 2222;
/** Ports that ssh opens to forward their connections. */
const LOCAL = 7102, REMOTE = 7103;
const FORWARDED = 3_000_000;
const FILES = 300;

export const SSH: Application = {
  name: "SSH and rsync",
  packages: ["ssh", "sshd", "rsync", "unshare"],
  async check(run) {
    await serve(run);
    const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"];
    const ssh = `ssh -F none -i ${run.folder}/key ${options.map((each) => `-o ${each}`).join(" ")}`;
    const there = `${ssh} -p ${PORT} root@${run.ip}`;

    assert.equal(await run.same(`${there} 'echo out; exit 7' && exit 1; echo $?`), "out\n7");
    // 7 MB in, and 7 MB out at the same time.
    await run.same(`seq 1000000 | ${there} cat | sha256sum`);
    await forward(run, ssh);
    await synchronize(run, ssh);
  },
};

async function serve(run: AppRun): Promise<void> {
  const { folder } = run;
  for (const key of ["host", "key"]) {
    await runProgram("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", `${folder}/${key}`);
  }
  const settings = [
    `Port ${PORT}`,
    `HostKey ${folder}/host`,
    `AuthorizedKeysFile ${folder}/key.pub`,
    "PermitRootLogin prohibit-password",
    "StrictModes no",
    "UsePAM no",
    "PidFile none",
  ];
  Deno.writeTextFileSync(`${folder}/sshd_config`, settings.join("\n") + "\n");
  // It insists on a folder in /run. This one exists in the mount namespace of the program alone.
  const start =
    `mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$(command -v sshd)" -D -e -f ${folder}/sshd_config`;
  for (const pod of [run.server, run.client]) {
    await run.start(pod, "unshare", ["--mount", "sh", "-ec", start]).line(/Server listening on/);
  }
}

/** Connections to a port that ssh opened, on either side, reach the SSH server of the other side. */
async function forward(run: AppRun, ssh: string): Promise<void> {
  const ports = [`-L 127.0.0.1:${LOCAL}:127.0.0.1:${PORT}`, `-R 127.0.0.1:${REMOTE}:127.0.0.1:${PORT}`].join(" ");
  const command = `${ssh} -p ${PORT} -o ExitOnForwardFailure=yes ${ports} root@${run.ip} 'echo forwarding; cat'`;
  // The command ends with its input, so nothing is left when ssh is killed.
  const session = run.start(run.client, "sh", ["-ec", `tail -f /dev/null | ${command}`]);
  await session.line(/^forwarding$/);
  for (const [pod, port] of [[run.client, LOCAL], [run.server, REMOTE]] as const) {
    const count = `head -c ${FORWARDED} /dev/zero | ${ssh} -p ${port} root@127.0.0.1 'wc -c'`;
    assert.equal((await pod.run("sh", "-ec", count)).trim(), `${FORWARDED}`);
  }
}

/** There, once more with nothing to do, and back. */
async function synchronize(run: AppRun, ssh: string): Promise<void> {
  const tree = `${run.folder}/tree`, copy = `${run.folder}/copy`, back = `${run.folder}/back`;
  for (let number = 0; number < FILES; number++) {
    const folder = `${tree}/${number % 10}`;
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(`${folder}/${number}`, `file ${number}\n`.repeat(number * 10));
  }
  const rsync = `rsync --archive --itemize-changes -e '${ssh} -p ${PORT}'`;
  const remote = `root@${run.ip}:${copy}/`;
  const changes = await run.same(
    `rm -rf ${copy} ${back}; ${rsync} ${tree}/ ${remote}; ${rsync} ${tree}/ ${remote}; ${rsync} ${remote} ${back}/
     diff -r ${tree} ${copy}; diff -r ${tree} ${back}`,
  );
  assert.equal(changes.split("\n").filter((line) => /^[<>]f/.test(line)).length, 2 * FILES);
}
