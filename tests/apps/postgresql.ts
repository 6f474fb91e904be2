/** PostgreSQL: `pgbench`, bulk by `COPY` in both directions, and a notification on a connection that was idle. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import { commandName } from "../../lab/commands.ts";
import { eventually } from "../../lab/eventually.ts";
import { run as runProgram } from "../../lab/program.ts";
import type { Application, AppRun } from "../../testkit/applications.ts";

const VERSIONS = "/usr/lib/postgresql";
const PORT = 5432;
const TRANSACTIONS = 50;
const CLIENTS = 4;
/** Of 1,865 bytes each in COPY's text format: 149 MB. */
const ROWS = 80_000;
/** Of 18,569 bytes each: 501 MB. The server compresses them, so they take little of its disk. */
const LARGE_ROWS = 27_000;

export const POSTGRESQL: Application = {
  name: "PostgreSQL",
  packages: ["pgbench", "nc", "unshare"],
  async check(run) {
    await serve(run);
    const at = `-h ${run.ip} -U app`;
    const sql = new Sql(run);

    await listen(run, sql, async () => {
      await run.server.run("sh", "-ec", `pgbench ${at} --initialize --quiet --unlogged-tables --scale=1 postgres`);
      const summary = await run.same(
        `pgbench ${at} --no-vacuum --client=${CLIENTS} --transactions=${TRANSACTIONS} postgres 2>&1`,
        (output) =>
          output.split("\n").filter((line) => /^(number of|scaling|query mode|transaction)/.test(line)).join(", "),
      );
      assert.match(summary, new RegExp(`actually processed: ${CLIENTS * TRANSACTIONS}/.*failed transactions: 0 `));
      await copy(run, sql, ROWS, 58);
    });
  },
};

/** The same with much more data, which is not repeated on every route. */
export const POSTGRESQL_BULK: Application = {
  name: "PostgreSQL, COPY of 500 MB in both directions",
  packages: ["pgbench", "unshare"],
  async check(run) {
    await serve(run);
    await copy(run, new Sql(run), LARGE_ROWS, 580);
  },
};

/** `psql` as a command for the shell of either pod. */
class Sql {
  readonly #run: AppRun;
  readonly psql: string;

  constructor(run: AppRun) {
    this.#run = run;
    this.psql = `psql -X -q -t -A -v ON_ERROR_STOP=1 -h ${run.ip} -U app -d postgres`;
  }

  /** The answer that the server's pod gets. */
  async ask(sql: string): Promise<string> {
    return (await this.#run.server.run("sh", "-ec", `${this.psql} -c "${sql}"`)).trim();
  }
}

/** A table from the server to the client, and from there back into another table. */
async function copy(run: AppRun, sql: Sql, rows: number, repeat: number): Promise<void> {
  const text = `repeat(md5(i::text), ${repeat})`;
  await sql.ask(`CREATE UNLOGGED TABLE bulk AS SELECT i, ${text} AS t FROM generate_series(1, ${rows}) AS i`);
  await sql.ask("CREATE UNLOGGED TABLE copy (i int, t text)");
  const out = (table: string) => `${sql.psql} -c "COPY ${table} TO STDOUT"`;
  const checksum = await run.same(`${out("bulk")} | sha256sum`);
  await run.client.run("sh", "-ec", `${out("bulk")} | ${sql.psql} -c "COPY copy FROM STDIN"`);
  assert.equal(await run.server.run("sh", "-ec", `${out("copy")} | sha256sum`), checksum);
}

/** Programs of the newest version that is installed. */
function program(name: string): string {
  const versions = [...Deno.readDirSync(VERSIONS)].map((entry) => `${VERSIONS}/${entry.name}/bin/${name}`);
  const found = versions.filter((path) => existsSync(path)).sort().at(-1);
  if (found === undefined) throw new Error(`no ${name} in ${VERSIONS}`);
  return found;
}

/** PostgreSQL refuses to run as root, so it runs in a user namespace where root has another number. */
const NOT_ROOT = ["--user", "--map-user=1000", "--map-group=1000"];

async function serve(run: AppRun): Promise<void> {
  const data = `${run.folder}/data`;
  const create = ["-D", data, "-U", "app", "--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8"];
  await runProgram("unshare", ...NOT_ROOT, program("initdb"), ...create);
  Deno.writeTextFileSync(`${data}/pg_hba.conf`, "host all all all trust\n");
  const settings = {
    listen_addresses: run.ip,
    unix_socket_directories: "",
    fsync: "off",
    dynamic_shared_memory_type: "mmap",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  await run.serve("unshare", [...NOT_ROOT, program("postgres"), "-D", data, ...options], /ready to accept connections/);
}

/** Runs `meanwhile` while a connection listens and is idle; then the server notifies, and the client must see that. */
async function listen(
  run: AppRun,
  sql: Sql,
  meanwhile: () => Promise<void>,
): Promise<void> {
  // psql shows a notification only after its next command, so this sends the protocol's own messages.
  Deno.writeFileSync(`${run.folder}/listen`, Buffer.concat([startup("app", "postgres"), query("LISTEN news")]));
  const script = `{ cat ${run.folder}/listen; exec tail -f /dev/null; } | ${commandName("nc")} ${run.ip} ${PORT}`;
  const listener = run.start(run.client, "sh", ["-ec", script]);
  const idle = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN news' AND state = 'idle'";
  await eventually("the listener", async () => await sql.ask(idle) === "1");
  await meanwhile();
  // A line break, as lines are waited for.
  await sql.ask("SELECT pg_notify('news', E'after the idle time\\n')");
  await listener.line(/news\0after the idle time$/);
  // Before the server ends: its last words to a client that has gone would reset the connection.
  await listener[Symbol.asyncDispose]();
  await eventually("the end of the listener", async () => await sql.ask(idle) === "0");
}

/** The first message of a connection: protocol version 3.0 and parameters. */
function startup(user: string, database: string): Uint8Array {
  return withLength(Buffer.from(`\x00\x03\x00\x00user\x00${user}\x00database\x00${database}\x00\x00`, "latin1"));
}

function query(sql: string): Uint8Array {
  return Buffer.concat([Buffer.from("Q"), withLength(Buffer.from(`${sql}\x00`))]);
}

/** The length counts itself. */
function withLength(body: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(4 + body.length);
  return Buffer.concat([length, body]);
}
