/** Parses the command line. */
import { parseArgs } from "node:util";

/** The options. */
export interface Options {
  /** Whether to end after the last claim. */
  readonly once: boolean;
  /** Bytes of the echo. */
  readonly bytes: number;
}

/** The usage text. */
export const USAGE = `usage: deno task demo [--once] [--bytes=1GB]
  --once    end after checking every claim
  --bytes   how much to send and receive: a number with kB, MB or GB`;

const UNITS = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };

/** Parses the arguments. Returns a text where there is nothing to run: {@link USAGE}, or what is wrong. */
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
