/** Connections avoid endpoints to which the last ones failed (`docs/spec/dataplane.md` 1.5.3). */
import { strict as assert } from "node:assert";
import { ErrorCode } from "../h2/seam.ts";
import { SeveralEndpoints } from "../dataplane/testkit/several_endpoints.ts";

for (const protocol of ["TCP", "HBONE"] as const) {
  const serve = (bed: SeveralEndpoints, endpoint: number) =>
    protocol === "TCP" ? void bed.serve(endpoint) : void bed.serveHbone(endpoint);

  Deno.test(`passive health, ${protocol}: an endpoint that refuses gets one connection of each set-back, of 300 in a minute`, () => {
    const bed = new SeveralEndpoints({ protocol });
    serve(bed, 2);
    for (let i = 0; i < 300; i++) {
      assert.equal(bed.served(), "web-2");
      bed.advance(200);
    }
    // After 0, 1, 3, 7, 15, 31 s.
    assert.equal(bed.dialled().filter((name) => name === "web-1").length, 6);
    bed.assertClean();
  });

  Deno.test(`passive health, ${protocol}: while one connection tries a silent endpoint again, others do not wait for it`, () => {
    const bed = new SeveralEndpoints({ protocol });
    bed.memory.blackhole(bed.address(1));
    serve(bed, 2);
    const first = bed.call();
    bed.advance(3333);
    assert.equal(first.text, "web-2");
    bed.advance(1000);
    const trial = bed.call();
    // By HBONE the first dial is still in flight, without an answer, so there is nothing to wait for.
    assert.equal(trial.text, protocol === "TCP" ? "" : "web-2");
    assert.equal(bed.served(), "web-2");
    bed.advance(3333);
    assert.equal(trial.text, "web-2");
    first.duplex.close(true);
    trial.duplex.close(true);
    bed.assertClean();
  });

  Deno.test(`passive health, ${protocol}: an endpoint that works again is used when its time is over`, () => {
    const bed = new SeveralEndpoints({ protocol });
    serve(bed, 2);
    assert.equal(bed.served(), "web-2");
    serve(bed, 1);
    assert.equal(bed.served(), "web-2");
    bed.advance(1000);
    assert.deepEqual([bed.served(), bed.served()], ["web-1", "web-1"]);
    bed.assertClean();
  });
}

Deno.test("passive health: where all endpoints fail, each connection tries three, and no endpoint is lost", () => {
  const bed = new SeveralEndpoints();
  assert.equal(bed.served(), "");
  assert.deepEqual(bed.dialled(), ["web-1", "web-2", "web-3"]);
  assert.equal(bed.served(), "");
  assert.deepEqual(bed.dialled(), ["web-1", "web-2", "web-3"]);
  bed.serve(3);
  assert.equal(bed.served(), "web-3");
  bed.assertClean();
});

Deno.test("passive health, HBONE: where all endpoints fail, none is dialled again at once, and the last attempt waits", () => {
  const bed = new SeveralEndpoints({ protocol: "HBONE" });
  assert.equal(bed.served(), "");
  assert.deepEqual(bed.dialled(), ["web-1", "web-2", "web-3"]);
  const client = bed.call();
  assert.deepEqual([client.fate, bed.dialled()], ["open", []]);
  bed.serveHbone(3);
  bed.advance(100);
  assert.equal(client.text, "web-3");
  assert.deepEqual(bed.dialled(), ["web-3"]);
  client.duplex.close(true);
  bed.run();
  assert.match(
    bed.outcomes.at(-2)!,
    /^attempt 2 web-2: .* \(a recent attempt, and the next one has not succeeded yet\)$/,
  );
  bed.assertClean();
});

Deno.test("passive health: an application that refuses (503) sets its port back, and no other port of the pod", () => {
  const bed = new SeveralEndpoints({ protocol: "HBONE", service: { ports: new Map([[80, 8080], [81, 9090]]) } });
  bed.serveHbone(1, (stream, headers) => {
    const refuses = headers.some(([name, value]) => name === ":authority" && value.endsWith(":8080"));
    stream.respond([[":status", refuses ? "503" : "200"]], refuses);
    if (refuses) stream.reset(ErrorCode.NO_ERROR);
  });
  const second = bed.serveHbone(2);
  assert.equal(bed.served(), "web-2");
  assert.equal(bed.served(), "web-2");
  const before = second.peers[0]!.streams.length;
  const other = bed.connect("10.0.0.1", "10.10.0.1:81");
  bed.run();
  assert.equal(second.peers[0]!.streams.length, before, "web-1 takes it");
  other.duplex.close(true);
  bed.assertClean();
});

Deno.test("passive health, HBONE: the second connection to a silent endpoint sets it back after 1.5 s, and does not wait", () => {
  const bed = new SeveralEndpoints({ protocol: "HBONE" });
  bed.memory.blackhole(bed.address(1));
  bed.serveHbone(2);
  const first = bed.call();
  bed.advance(1500);
  assert.deepEqual([first.text, bed.served()], ["", "web-2"]);
  assert.equal(bed.outcomes.length, 2);
  assert.equal(bed.served(), "web-2");
  assert.equal(bed.outcomes.length, 3, "the third one did not choose it");
  bed.advance(2000);
  assert.equal(first.text, "web-2");
  first.duplex.close(true);
  bed.assertClean();
});
