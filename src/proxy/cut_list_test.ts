import { strict as assert } from "node:assert";
import { socket } from "../mesh/testkit/fixture.ts";
import { CutList } from "./cut_list.ts";

const HOUR = 3_600_000;
const connection = (service: string | null, startedAt: number) => ({
  source: socket("10.0.0.1:1234"),
  destination: socket("10.0.0.2:80"),
  service,
  startedAt,
});

Deno.test("connections are counted by service and age; the first ones are listed", () => {
  const now = 100 * HOUR;
  const list = new CutList(now);
  list.add(connection("web.example", now - 25 * HOUR));
  list.add(connection(null, now - HOUR));
  list.add(connection("web.example", now - 59_999));
  list.add(connection("web.example", now + 1));
  assert.deepEqual(list.fields(), {
    connections: 4,
    services: "web.example: 3, (no service): 1",
    ages: "under 1m: 2, 1h to 1d: 1, over 1d: 1",
    oldest: [90000, 3600, 59, 0].map((age) => `10.0.0.1:1234->10.0.0.2:80 ${age}s`).join(", "),
  });
});

Deno.test("the line has a bounded size, however many connections and services there are", () => {
  const list = new CutList(1e12);
  for (let i = 0; i < 5000; i++) list.add(connection(`${i}.`.padEnd(1000, "x"), 0));
  const fields = list.fields();
  assert.match(String(fields.services), /, other services: 4990$/);
  assert.ok(JSON.stringify(fields).length < 4096, `${JSON.stringify(fields).length} bytes`);
});
