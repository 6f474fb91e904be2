/** Chapter 2: many bytes there and back through one tunnel. */
import { SERVICE } from "./cast.ts";
import { patiently } from "./patience.ts";
import { heading, type Stage } from "./stage.ts";
import { bar, count, volume } from "./terminal.ts";
import { type Echo, echo } from "./traffic.ts";

/** ms between two states of the progress line. */
const PROGRESS_EVERY = 100;

export async function bytesChapter(stage: Stage, size: number): Promise<Echo> {
  const { mesh, terminal, claims } = stage;
  heading(stage, `2  ${volume(size)} over raw TCP, there and back`);
  const target = { ip: SERVICE.ip, port: SERVICE.echoPort };
  let shown = 0;
  const result = await patiently("the echo", (alive) =>
    echo(mesh.socksPorts.a, target, size, (back, millis) => {
      alive();
      if (millis - shown < PROGRESS_EVERY) return;
      shown = millis;
      terminal.progress(`   ${bar(back / size, 30)} ${volume(back).padStart(7)}  ${speed(back, millis)}`);
    })).finally(() => terminal.clearProgress());
  const seconds = (result.millis / 1000).toFixed(1);
  claims.check(
    result.back === size && result.intact,
    `${count(result.back)} bytes came back, each compared; ${seconds} s, ${
      speed(size, result.millis)
    } each way at once`,
    () => `${count(result.back)} bytes, ${result.intact ? "all as sent" : "not as sent"}`,
  );
  return result;
}

function speed(bytes: number, millis: number): string {
  return `${Math.round(bytes / 1000 / Math.max(1, millis))} MB/s`;
}
