import { strict as assert } from "node:assert";
import project from "../deno.json" with { type: "json" };

Deno.test("no task has all permissions of the runtime (docs/security.md, Permissions)", () => {
  const tasks = Object.entries(project.tasks).map(([name, { command }]) => [name, command] as const);
  const all = tasks.filter(([, command]) => /\s(-A|--allow-all)\b/.test(command)).map(([name]) => name);
  assert.deepEqual(all, []);
});
