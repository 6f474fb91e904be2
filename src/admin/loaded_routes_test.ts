import { strict as assert } from "node:assert";
import { loadedRoutes } from "./loaded_routes.ts";
import { plainText } from "./response.ts";
import { get } from "./testkit/get.ts";

Deno.test("loaded routes: the first request loads them, once", async () => {
  let loads = 0;
  const routes = loadedRoutes(["/a", "/b"], () => {
    loads++;
    return Promise.resolve({ "/a": () => plainText(200, "a"), "/b": () => plainText(200, "b") });
  });
  assert.deepEqual([Object.keys(routes), loads], [["/a", "/b"], 0]);
  const [a, b] = await Promise.all([routes["/a"](get("/a")), routes["/b"](get("/b"))]);
  assert.deepEqual([a, b, loads], [plainText(200, "a"), plainText(200, "b"), 1]);
});

Deno.test("loaded routes: a failure to load is not kept", async () => {
  let fails = true;
  const routes = loadedRoutes(["/a"], () => {
    return fails ? Promise.reject(new Error("no file")) : Promise.resolve({ "/a": () => plainText(200, "a") });
  });
  await assert.rejects(async () => await routes["/a"](get("/a")), /no file/);
  fails = false;
  assert.equal((await routes["/a"](get("/a"))).status, 200);
});
