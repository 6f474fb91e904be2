import { strict as assert } from "node:assert";
import type { ExplainAnswer, ExplainQuestion } from "../mesh/explain/explanation.ts";
import { explainRoute } from "./explain_route.ts";
import type { RequestHead } from "./request_head.ts";
import { isStreamed } from "./response.ts";

function bed() {
  const asked: { question: ExplainQuestion; answer: (answer: ExplainAnswer) => void; fail: (error: Error) => void }[] =
    [];
  const handler = explainRoute((question) => {
    const { promise, resolve, reject } = Promise.withResolvers<ExplainAnswer>();
    asked.push({ question, answer: resolve, fail: reject });
    return promise;
  }, (id) => Promise.resolve(id === "drain" ? [{ id, text: "closed", policy: null, count: 2 }] : []));
  const ask = async (query: string) => {
    const head: RequestHead = {
      method: "GET",
      path: "/explain",
      query,
      headers: new Map(),
      minor: 1,
      keepAlive: true,
      bodyLength: 0,
      waitsWithBody: false,
    };
    const response = await handler(head);
    assert.ok(!isStreamed(response));
    return { status: response.status, body: String(response.body) };
  };
  return { asked, ask };
}

const ERROR: ExplainAnswer = {
  kind: "error",
  error: { code: "UNKNOWN_SOURCE", message: "there is no such workload", candidates: ["a/b"] },
};
const settle = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("/explain decodes the question and answers in JSON", async () => {
  const { asked, ask } = bed();
  const answer = ask("from=app%2Fa&to=%5Bfd00::1%5D:80&to=web%3A80");
  await settle();
  assert.deepEqual(asked[0]?.question, { from: "app/a", to: "web:80" });
  asked[0]?.answer(ERROR);
  const { status, body } = await answer;
  assert.equal(status, 400);
  assert.deepEqual(JSON.parse(body), { error: ERROR.error });
});

Deno.test("/explain answers what a decision stands for", async () => {
  const { ask } = bed();
  const found = await ask("id=drain");
  assert.equal(found.status, 200);
  assert.deepEqual(JSON.parse(found.body), { decision: { id: "drain", text: "closed", policy: null, count: 2 } });
  const absent = await ask("id=abcdefghijkl.1");
  assert.equal(absent.status, 400);
  assert.equal(JSON.parse(absent.body).error.code, "UNKNOWN_DECISION");
});

Deno.test("/explain without a question answers with its usage", async () => {
  const { status, body } = await bed().ask("from=a");
  assert.equal(status, 400);
  assert.match(body, /^from and to are needed\n\nusage: GET \/explain\?/);
});

Deno.test("/explain answers one question at a time, also after one that failed", async () => {
  const { asked, ask } = bed();
  const first = ask("from=1&to=1");
  const second = ask("from=2&to=2");
  await settle();
  assert.equal(asked.length, 1);
  asked[0]?.fail(new Error("no worker"));
  await assert.rejects(first, { message: "no worker" });
  await settle();
  assert.deepEqual(asked[1]?.question, { from: "2", to: "2" });
  asked[1]?.answer(ERROR);
  assert.equal((await second).status, 400);
});
