import { strict as assert } from "node:assert";
import type { RevocationList } from "../identity/crl.ts";
import { encodePem } from "../identity/pem.ts";
import { makeCa, makeCrl, NOW } from "../identity/testkit/certificates.ts";
import { CrlSource } from "./crl_source.ts";

const root = makeCa("root");
const serials = (count: number) => Array.from({ length: count }, (_, index) => Uint8Array.of(index + 1));
const pem = (count: number, options = {}) => encodePem("X509 CRL", makeCrl(root, serials(count), options));

/** A source with its file, a clock whose only timer is run by the test, and log lines. */
class Bench implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync();
  readonly path = `${this.folder}/crl.pem`;
  readonly lines: string[] = [];
  readonly changes: (readonly RevocationList[])[] = [];
  source: CrlSource | null = null;
  usable = false;
  #due: (() => void) | null = null;

  write(text: string): void {
    // A new file each time, so that its inode differs, whatever the precision of the clock.
    Deno.writeTextFileSync(`${this.path}.new`, text);
    Deno.renameSync(`${this.path}.new`, this.path);
  }

  async open(): Promise<this> {
    this.source = await CrlSource.open({
      path: this.path,
      clock: {
        now: () => NOW,
        after: (_delay, run) => {
          this.#due = run;
          return { cancel: () => this.#due = null };
        },
      },
      log: (level, text) => this.lines.push(`${level} ${text}`),
    });
    void this.source.usable.then(() => this.usable = true);
    this.source.watch((lists) => this.changes.push(lists));
    return this;
  }

  /** Runs one check of the file to its end. */
  async check(): Promise<void> {
    const run = this.#due!;
    this.#due = null;
    run();
    while (this.#due === null) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  get entries(): number[] {
    return this.changes.map((lists) => lists.reduce((sum, list) => sum + list.serials.size, 0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.source?.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("CRL file, identity L4: read at the start, then when it changes and not otherwise", async () => {
  await using bench = new Bench();
  bench.write(pem(1));
  await bench.open();
  assert.equal(bench.source!.lists.length, 1);
  await bench.check();
  assert.deepEqual(bench.entries, []);
  bench.write(pem(2) + pem(1));
  await bench.check();
  await bench.check();
  assert.deepEqual(bench.entries, [3]);
  assert.deepEqual(bench.lines, [
    "info revocation lists in force: 1, certificates revoked: 1",
    "info revocation lists in force: 2, certificates revoked: 3",
  ]);
});

Deno.test("CRL file, identity L1, dataplane TL-04: a missing file is used when it appears", async () => {
  await using bench = await new Bench().open();
  assert.deepEqual(bench.source!.lists, []);
  assert.match(bench.lines[0]!, /^warn crl file not found, waiting for it/);
  await bench.check();
  bench.write(pem(1));
  await bench.check();
  assert.deepEqual(bench.entries, [1]);
});

Deno.test("CRL file, identity L3: an empty file revokes nothing", async () => {
  await using bench = new Bench();
  bench.write("");
  await bench.open();
  assert.deepEqual(bench.source!.lists, []);
});

for (
  const [vector, text, problem] of [
    ["identity L2", "not a valid CRL", /^error cannot use CRL_PATH ".*crl\.pem": CRL error: failed to parse crl 1: /],
    [
      "identity S35",
      pem(1).slice(0, 50),
      /^error cannot use CRL_PATH ".*": failed to parse CRL: failed to parse PEM: /,
    ],
  ] as const
) {
  Deno.test(`CRL file, ${vector}: an unusable file at the start blocks until it is usable, and is logged once`, async () => {
    await using bench = new Bench();
    bench.write(text);
    await bench.open();
    await bench.check();
    assert.match(bench.lines[0]!, problem);
    assert.match(bench.lines[0]!, /serves no pod and is not ready until it can be used/);
    assert.equal(bench.lines.length, 1);
    assert.equal(bench.usable, false);
    bench.write("also broken, in another way: -----BEGIN");
    await bench.check();
    assert.equal(bench.usable, false);
    bench.write(pem(2));
    await bench.check();
    assert.equal(bench.usable, true);
    assert.equal(bench.source!.problem, null);
    assert.deepEqual(bench.entries, [2]);
    assert.equal(bench.lines.at(-1), "info revocation lists in force: 1, certificates revoked: 2");
  });
}

Deno.test("CRL file: an unusable file at the start that is deleted counts as missing", async () => {
  await using bench = new Bench();
  bench.write("broken");
  await bench.open();
  Deno.removeSync(bench.path);
  await bench.check();
  assert.equal(bench.usable, true);
  assert.match(bench.lines[1]!, /^warn crl file not found, waiting for it/);
  assert.deepEqual(bench.entries, [0]);
});

Deno.test("CRL file: a folder instead of a file", async () => {
  await using bench = new Bench();
  Deno.mkdirSync(bench.path);
  await bench.open();
  assert.equal(bench.source!.problem, "failed to read CRL file: not a file");
});

Deno.test("CRL file, identity L28 S35: an unusable or removed file leaves the last usable one in force, and is logged once", async () => {
  await using bench = new Bench();
  bench.write(pem(1));
  await bench.open();
  bench.write(pem(2).slice(0, 60));
  await bench.check();
  await bench.check();
  Deno.removeSync(bench.path);
  await bench.check();
  await bench.check();
  assert.equal(bench.source!.lists[0]!.serials.size, 1);
  assert.deepEqual(bench.entries, []);
  assert.deepEqual(bench.lines.slice(1).map((line) => line.replace(/list: .*;/, "list: …;")), [
    "warn cannot use the new revocation list: …; the last good one stays in force",
    "warn cannot use the new revocation list: …; the last good one stays in force",
  ]);
  assert.match(bench.lines[2]!, /the file was removed/);
  bench.write(pem(2));
  await bench.check();
  assert.deepEqual(bench.entries, [2]);
});

Deno.test("CRL file, identity 6.6: replaced by symbolic links, as Kubernetes does with a ConfigMap", async () => {
  await using bench = new Bench();
  const publish = (version: string, text: string) => {
    Deno.mkdirSync(`${bench.folder}/${version}`);
    Deno.writeTextFileSync(`${bench.folder}/${version}/crl.pem`, text);
    Deno.symlinkSync(version, `${bench.folder}/..data.new`);
    Deno.renameSync(`${bench.folder}/..data.new`, `${bench.folder}/..data`);
  };
  publish("1", pem(1));
  Deno.symlinkSync("..data/crl.pem", bench.path);
  await bench.open();
  publish("2", pem(2));
  await bench.check();
  assert.deepEqual(bench.entries, [2]);
});

Deno.test("CRL file, identity L25: an overdue list is in force, and logged", async () => {
  await using bench = new Bench();
  bench.write(pem(1, { nextUpdate: NOW - 1000 }));
  await bench.open();
  assert.equal(bench.source!.lists.length, 1);
  assert.match(
    bench.lines[1]!,
    /^warn the revocation list of O=root is overdue since 2025-12-31T23:59:59.000Z; it stays in force/,
  );
});
