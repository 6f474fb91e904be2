import { strict as assert } from "node:assert";
import { stateOf, workload } from "../mesh/testkit/fixture.ts";
import type { DumpAnswer } from "./dump_messages.ts";
import { DumpSessions } from "./dump_sessions.ts";

function bed(workloads: number, now: () => number = () => 0) {
  const answers: DumpAnswer[] = [];
  const state = stateOf(
    ...Array.from({ length: workloads }, (_, i) => workload({ uid: `uid-${i}`, name: "w".repeat(1000) })),
  );
  const sessions = new DumpSessions(state, (answer) => answers.push(answer), now);
  /** The next slice. */
  const more = (dump = 1) => {
    sessions.receive({ kind: "dump-more", dump });
    const answer = answers.pop();
    assert.ok(answer?.kind === "dump-slice", answer?.kind === "dump-failed" ? answer.message : "no answer");
    return answer;
  };
  sessions.receive({ kind: "dump-begin", dump: 1 });
  return { sessions, answers, state, more };
}

Deno.test("a dump is sent section by section, in slices of bounded size", () => {
  const { more, state } = bed(200);
  const texts: string[] = [];
  let slices = 0;
  for (let section = 0; section < 4; section++) {
    let text = "";
    for (let ended = false; !ended;) {
      const slice = more();
      assert.ok(slice.text.length < 70_000, `${slice.text.length}`);
      text += slice.text;
      ended = slice.ended;
      slices++;
      // Changes meanwhile have no effect on the dump.
      state.apply([{ kind: "clear" }]);
    }
    texts.push(text);
  }
  assert.deepEqual(texts.slice(0, 3), ["[]", "[]", "{}"]);
  assert.equal(JSON.parse(texts[3]!).length, 200);
  assert.equal(slices, 3 + 5);
});

Deno.test("a slice ends at its time limit, however short its text is", () => {
  let time = 0;
  const { more } = bed(10, () => time += 2);
  for (let section = 0; section < 3; section++) while (!more().ended);
  const lengths: number[] = [];
  for (let ended = false; !ended;) {
    const slice = more();
    lengths.push(slice.text.length);
    ended = slice.ended;
  }
  assert.ok(lengths.length >= 6, String(lengths));
});

Deno.test("a dump that has ended, was aborted or was never begun fails", () => {
  const { sessions, answers, more } = bed(1);
  for (let section = 0; section < 4; section++) while (!more().ended);
  sessions.receive({ kind: "dump-more", dump: 1 });
  sessions.receive({ kind: "dump-end", dump: 1 });
  sessions.receive({ kind: "dump-end", dump: 1 });
  sessions.receive({ kind: "dump-more", dump: 1 });
  sessions.receive({ kind: "dump-more", dump: 7 });
  const message = "there is nothing more to dump";
  assert.deepEqual(answers, [1, 1, 7].map((dump) => ({ kind: "dump-failed", dump, message })));
});

Deno.test("several dumps at once are independent", () => {
  const { sessions, more } = bed(100);
  sessions.receive({ kind: "dump-begin", dump: 2 });
  const texts: [string, string] = ["", ""];
  const ended = [0, 0];
  while (ended[0]! < 4 || ended[1]! < 4) {
    for (const i of [0, 1] as const) {
      if (ended[i] === 4) continue;
      const slice = more(i + 1);
      texts[i] += slice.text;
      if (slice.ended) ended[i]!++;
    }
  }
  assert.equal(texts[0], texts[1]);
});
