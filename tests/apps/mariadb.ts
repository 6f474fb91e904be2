/** MariaDB: transactions with prepared statements, bulk in both directions, and a connection that waits for a lock. */
import { strict as assert } from "node:assert";
import { eventually } from "../../lab/eventually.ts";
import { run as runProgram } from "../../lab/program.ts";
import type { Application, AppRun } from "../../testkit/applications.ts";

const PORT = 3306;
/** Of about 1,865 bytes each: 37 MB. */
const ROWS = 20_000;
const EVENTS = 50;
const QUERIES = 400;

/** Files of little size, which need not survive a crash. */
const LIGHT = ["--innodb-log-file-size=8M", "--innodb-flush-method=nosync", "--debug-no-sync", "--skip-name-resolve"];

export const MARIADB: Application = {
  name: "MariaDB",
  packages: ["mariadb", "mariadbd", "sysbench"],
  async check(run) {
    await serve(run);
    const at = `-h ${run.ip} -P ${PORT} -u app`;
    const client = `mariadb --no-defaults ${at} --batch --skip-column-names app`;
    const ask = async (sql: string) => (await run.server.run("sh", "-ec", `${client} -e "${sql}"`)).trim();

    await wait(run, client, ask, async () => {
      await transactions(run);
      await bulk(run, client, ask);
      const load =
        `--concurrency=8 --number-of-queries=${QUERIES} --auto-generate-sql --auto-generate-sql-load-type=mixed`;
      const slap =
        `mariadb-slap --no-defaults ${at} --create-schema=slap ${load} --auto-generate-sql-add-autoincrement`;
      assert.match(await run.same(slap, withoutTimes), /clients running queries: 8/);
    });
    // A server that is killed before it has read that a client leaves would reset that client's connection.
    const connections = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'";
    await eventually("the end of all other connections", async () => await ask(connections) === "1");
  },
};

async function serve(run: AppRun): Promise<void> {
  const { folder } = run;
  const data = `--datadir=${folder}/data`;
  const create = ["--auth-root-authentication-method=normal", "--skip-test-db", "--user=root", data, ...LIGHT];
  await runProgram("mariadb-install-db", "--no-defaults", ...create);
  // One statement in each line.
  const init = ["CREATE USER app", "GRANT ALL ON *.* TO app", "CREATE DATABASE app"];
  Deno.writeTextFileSync(`${folder}/init.sql`, init.map((line) => `${line};\n`).join(""));
  const files = [`--socket=${folder}/socket`, `--pid-file=${folder}/pid`, `--init-file=${folder}/init.sql`];
  const listen = [`--bind-address=${run.ip}`, `--port=${PORT}`];
  await run.serve("mariadbd", ["--no-defaults", "--user=root", data, ...files, ...listen, ...LIGHT], /port: 3306 /);
}

/** By the protocol of prepared statements. */
async function transactions(run: AppRun): Promise<void> {
  const at = `--mysql-host=${run.ip} --mysql-port=${PORT} --mysql-user=app --mysql-db=app --table-size=1000`;
  const sysbench = (command: string) => `sysbench oltp_read_write ${at} --db-ps-mode=auto ${command}`;
  await run.server.run("sh", "-ec", sysbench("prepare"));
  const summary = await run.same(
    // One client: no transactions that block each other. What is counted as a write depends on the random values.
    sysbench(`--threads=1 --events=${EVENTS} --time=0 --rand-seed=1 run`),
    (output) => (output.match(/^ +(read|total|transactions|ignored errors|reconnects): +\d+/gm) ?? []).join(),
  );
  assert.match(summary, new RegExp(`transactions: +${EVENTS},.*ignored errors: +0,.*reconnects: +0`));
}

/** A large result, and the same rows from a file of the client's. */
async function bulk(run: AppRun, client: string, ask: (sql: string) => Promise<string>): Promise<void> {
  const text = "repeat(md5(seq), 58)";
  await ask(
    `CREATE TABLE bulk ENGINE=Aria SELECT seq, ${text} AS t FROM seq_1_to_${ROWS}; CREATE TABLE copy LIKE bulk`,
  );
  const file = `${run.folder}/rows`;
  await run.same(`${client} --quick -e 'SELECT * FROM bulk' > ${file}; sha256sum < ${file}; rm ${file}`);
  await run.client.run("sh", "-ec", `${client} --quick -e 'SELECT * FROM bulk' > ${file}`);
  await run.client.run("sh", "-ec", `${client} --local-infile -e "LOAD DATA LOCAL INFILE '${file}' INTO TABLE copy"`);
  const checksum = async (table: string) => (await ask(`CHECKSUM TABLE ${table}`)).split("\t")[1];
  assert.equal(await checksum("copy"), await checksum("bulk"));
}

/** Runs `meanwhile` while the client waits for a lock; then the lock is released, and the client gets its answer. */
async function wait(
  run: AppRun,
  client: string,
  ask: (sql: string) => Promise<string>,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const session = (sql: string) => ["-ec", `exec ${client} --unbuffered -e "${sql}"`];
  const holder = run.start(run.server, "sh", session("SELECT 'holds', GET_LOCK('news', 0); SELECT SLEEP(3600)"));
  await holder.line(/^holds\t1$/);
  const waiter = run.start(run.client, "sh", session("SELECT 'waited', GET_LOCK('news', 3600)"));
  const waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'";
  await eventually("a client that waits for the lock", async () => await ask(waiting) === "1");
  await meanwhile();
  await holder.stop();
  await waiter.line(/^waited\t1$/);
  assert.equal((await waiter.ended()).code, 0);
}

function withoutTimes(output: string): string {
  return output.split("\n").filter((line) => !line.includes("seconds")).join("\n");
}
