/** The terminal of the demo: aligned text, optional colours, and a progress line that is overwritten. */

/** Where the demo prints. */
export interface Terminal {
  /** Columns that text may fill. */
  readonly width: number;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  say(text?: string): void;
  /** Replaces the progress line. No effect where lines cannot be overwritten. */
  progress(text: string): void;
  /** Removes the progress line. Never throws, as the reason for cleanup may be that the terminal is gone. */
  clearProgress(): void;
}

const WIDTH_MIN = 60;
const WIDTH_MAX = 120;
/** Width for files and pipes. */
const WIDTH_PLAIN = 100;

/** Standard output. Colours and progress appear on a terminal only; `NO_COLOR` removes the colours. */
export function standardTerminal(): Terminal {
  const interactive = Deno.stdout.isTerminal();
  const paint = interactive && !Deno.noColor;
  const style = (code: number) => (text: string) => paint ? `\x1b[${code}m${text}\x1b[0m` : text;
  return {
    width: interactive ? Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, Deno.consoleSize().columns)) : WIDTH_PLAIN,
    bold: style(1),
    dim: style(2),
    good: style(32),
    bad: style(31),
    say: (text = "") => print(`${text}\n`),
    progress: (text) => interactive && print(`\r\x1b[K${text}`),
    clearProgress: () => {
      try {
        if (interactive) print("\r\x1b[K");
      } catch {
        // the terminal is gone, and the line with it
      }
    },
  };
}

const encoder = new TextEncoder();

function print(text: string): void {
  let bytes = encoder.encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

/** `words` in lines of at most `width` columns; a longer word gets its own line. */
export function wrap(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return line === "" ? lines : [...lines, line];
}

/** A number with separators: `1,234,567`. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** Bytes in decimal units: `1 GB`, `512 MB`. */
export function volume(bytes: number): string {
  const [size, name] = bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  return `${Number((bytes / size).toPrecision(3))} ${name}`;
}

/** A bar of `width` cells, `part` between 0 and 1. */
export function bar(part: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, part)) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}
