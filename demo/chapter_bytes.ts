/** Chapter 2: many bytes in both directions through one tunnel. */
import { SERVICE } from "./workloads.ts";
import { withTimeLimit } from "./time_limit.ts";
import { type DemoContext, heading } from "./chapter.ts";
import { bar, count, volume } from "./terminal.ts";
import { type Echo, echo } from "./traffic.ts";

/** ms between two updates of the progress line. */
const PROGRESS_EVERY = 100;

/** Sends `size` bytes to the echo and compares what comes back. */
export async function bytesChapter(context: DemoContext, size: number): Promise<Echo> {
  const { mesh, terminal, claims } = context;
  heading(context, `2  ${volume(size)} over plain TCP, sent and echoed`);
  const target = { ip: SERVICE.ip, port: SERVICE.echoPort };
  let shown = 0;
  const result = await withTimeLimit(
    "the echo",
    (onProgress) =>
      echo(mesh.socksPorts.a, target, size, (back, millis) => {
        onProgress();
        if (millis - shown < PROGRESS_EVERY) return;
        shown = millis;
        terminal.progress(`   ${bar(back / size, 30)} ${volume(back).padStart(7)}  ${speed(back, millis)}`);
      }),
  ).finally(() => terminal.clearProgress());
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
