/**
 * h2spec against the inbound port of a real proxy, through a relay that adds TLS. What fails and why: src/h2/README.md.
 */
import { strict as assert } from "node:assert";
import { Target } from "../testkit/attacks/target.ts";
import { h2specProgram } from "../testkit/h2spec.ts";
import { testNeeding } from "../lab/needs.ts";
import { Program } from "../lab/program.ts";
import { startTlsRelay } from "../testkit/tls_relay.ts";

interface Score {
  readonly total: number;
  readonly passed: number;
  /** Section and title of each case that failed. */
  readonly failed: readonly string[];
}

async function score(env: Record<string, string>, ...sections: readonly string[]): Promise<Score> {
  const program = await h2specProgram();
  await using target = await Target.start("127.77.1.1", { env });
  await using relay = await startTlsRelay(target.site);
  await using h2spec = new Program(program, { args: [...sections, "-h", "127.0.0.1", "-p", `${relay.port}`] });
  const { output } = await h2spec.ended();
  const [, total, passed] = /(\d+) tests, (\d+) passed, \d+ skipped, \d+ failed/.exec(output) ?? [];
  if (total === undefined) throw new Error(`h2spec did not come to an end:\n${output}`);
  return { total: Number(total), passed: Number(passed), failed: failures(output) };
}

/** `4.2. Frame Size: 3: Sends a large size HEADERS frame …`, from the list at the end of the output. */
function failures(output: string): string[] {
  let section = "";
  return output.slice(output.lastIndexOf("Failures:")).split("\n").flatMap((line) => {
    section = /^\s*(\d[\d.]*\. .*)$/.exec(line)?.[1] ?? section;
    const title = /^\s*× (.*)$/.exec(line)?.[1];
    return title === undefined ? [] : [`${section}: ${title}`];
  });
}

testNeeding({ go: true }, "h2spec, observed O15: all cases but one, which needs smaller frames", async () => {
  const { total, passed, failed } = await score({});
  console.log(`h2spec: ${passed} of ${total}`, ...failed.map((name) => `\n  failed: ${name}`));
  assert.equal(total, 145);
  assert.deepEqual(failed, [
    "4.2. Frame Size: 3: Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE",
  ]);
  assert.equal(passed, 144);
});

testNeeding({ go: true }, "h2spec: that case with the smallest frames", async () => {
  assert.deepEqual(await score({ HTTP2_FRAME_SIZE: "16384" }, "http2/4.2"), { total: 3, passed: 3, failed: [] });
});
