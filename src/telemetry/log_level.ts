/** Levels of log events, as numbers: an event passes where its level is at most that of the filter. */
export const LEVEL = { off: 0, error: 1, warn: 2, info: 3, debug: 4, trace: 5 } as const;

/** Of an event. */
export type Level = 1 | 2 | 3 | 4 | 5;
/** Of a filter; 0 lets nothing pass. */
export type LevelLimit = 0 | Level;
export type LevelName = keyof typeof LEVEL;

export const LEVEL_NAMES = ["off", "error", "warn", "info", "debug", "trace"] as const;

/** A level word in any case, a digit from 0 to 5, or the empty text (error); null for anything else. */
export function parseLevelLimit(text: string): LevelLimit | null {
  if (text === "") return LEVEL.error;
  if (/^[0-5]$/.test(text)) return Number(text) as LevelLimit;
  const index = LEVEL_NAMES.indexOf(text.toLowerCase() as LevelName);
  return index < 0 ? null : index as LevelLimit;
}
