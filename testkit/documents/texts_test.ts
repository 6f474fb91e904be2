import { strict as assert } from "node:assert";
import { explainedTexts } from "./texts.ts";

Deno.test("explained texts: the columns of tables about texts, in their fixed parts", () => {
  const page = [
    "`not this`",
    "| the log says | cure |",
    "| --- | --- |",
    "| `is for ..., not for ...`, `b` (access log) | `X` |",
    "",
    "| you see | it shows |",
    "| --- | --- |",
    "| `d` | `e` and `a_metric`, `A_SETTING` |",
    "",
    "| port | use |",
    "| --- | --- |",
    "| `15001` | x |",
  ].join("\n");
  assert.deepEqual(explainedTexts(page), [["is for", ", not for"], ["b"], ["e"]]);
});
