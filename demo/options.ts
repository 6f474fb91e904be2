/** The command line. */
import { parseArgs } from "node:util";

export interface Options {
  /** End after the story instead of staying up. */
  readonly once: boolean;
  /** Of the echo. */
  readonly bytes: number;
}

export const USAGE = `usage: deno task demo [--once] [--bytes=1GB]
  --once    end after checking every claim
  --bytes   how much to send there and back: a number with kB, MB or GB`;

const UNITS = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };

/** A text is what to tell the user instead: {@link USAGE} alone, or what is wrong. */
export function parseOptions(args: readonly string[]): Options | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        once: { type: "boolean", default: false },
        bytes: { type: "string", default: "1GB" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return USAGE;
    const bytes = parseVolume(values.bytes);
    if (bytes === null) return `--bytes "${values.bytes}" must be a number with B, kB, MB or GB, such as 50MB`;
    return { once: values.once, bytes };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function parseVolume(text: string): number | null {
  const [, digits, unit] = /^(\d{1,6})(B|kB|MB|GB)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return null;
  const bytes = Number(digits) * UNITS[unit as keyof typeof UNITS];
  return bytes > 0 ? bytes : null;
}
