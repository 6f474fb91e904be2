/** Numbers, sizes and times in plain English. */

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** `12,345` */
export function count(value: number): string {
  return WHOLE.format(value);
}

/** With a noun in singular or plural: `1 pod`, `2 pods`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `0.2`, `12.5`, `1,250`: as many digits as tell something. */
export function decimal(value: number): string {
  if (value === 0) return "0";
  if (Math.abs(value) < 0.01) return "< 0.01";
  const digits = Math.abs(value) < 1 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return Number(value.toFixed(digits)).toLocaleString("en", { maximumFractionDigits: digits });
}

const SIZES = ["B", "KB", "MB", "GB", "TB"] as const;

/** `980 B`, `1.2 MB`; thousands, as network people count. */
export function bytes(value: number): string {
  let rest = value, unit = 0;
  for (; Math.abs(rest) >= 999.5 && unit < SIZES.length - 1; unit++) rest /= 1000;
  return `${unit === 0 ? Math.round(rest) : decimal(rest)} ${SIZES[unit]}`;
}

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

/** `340 ms`, `2.1 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. `millis`: ms. */
export function duration(millis: number): string {
  const value = Math.max(0, millis);
  if (value < SECOND) return `${Math.round(value)} ms`;
  if (value < 10 * SECOND) return `${decimal(Math.floor(value / 100) / 10)} s`;
  if (value < MINUTE) return `${Math.floor(value / SECOND)} s`;
  if (value < HOUR) return twoUnits(value, MINUTE, "min", SECOND, "s");
  if (value < DAY) return twoUnits(value, HOUR, "h", MINUTE, "min");
  return twoUnits(value, DAY, "d", HOUR, "h");
}

function twoUnits(value: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor(value % large / small);
  return `${count(Math.floor(value / large))} ${largeName}${rest === 0 ? "" : ` ${rest} ${smallName}`}`;
}

/** `just now`, `12 s ago`. Both ms since the epoch. */
export function ago(time: number, now: number): string {
  return now - time < 2 * SECOND ? "just now" : `${duration(Math.floor((now - time) / SECOND) * SECOND)} ago`;
}

/** `in 21 h 12 min`, `expired 3 min ago`. */
export function until(time: number, now: number): string {
  return time > now ? `in ${duration(time - now)}` : `expired ${ago(time, now)}`;
}

/** `14:03:22` in the time zone of the browser. `time`: ISO text, or ms since the epoch. */
export function clock(time: string | number): string {
  return new Date(time).toLocaleTimeString("en-GB", { hour12: false });
}

/** `1 Dec 2026, 14:03:22` */
export function date(time: number): string {
  const day = new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  return `${day}, ${clock(time)}`;
}

/** `45 %` */
export function percent(share: number): string {
  return `${decimal(share * 100)} %`;
}
