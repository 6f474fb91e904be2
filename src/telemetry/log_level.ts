/** Levels of log events as numbers. An event passes where its level is at most that of the filter. */
export const LEVEL = { off: 0, error: 1, warn: 2, info: 3, debug: 4, trace: 5 } as const;

/** Level of an event. */
export type Level = 1 | 2 | 3 | 4 | 5;
/** Level of a filter; with 0 nothing passes. */
export type LevelLimit = 0 | Level;
/** Name of a level. */
export type LevelName = keyof typeof LEVEL;

/** Names by number. */
export const LEVEL_NAMES = ["off", "error", "warn", "info", "debug", "trace"] as const;

/** Parses a level: a name in upper or lower case, a digit from 0 to 5, or the empty text (error). Null: invalid. */
export function parseLevelLimit(text: string): LevelLimit | null {
  if (text === "") return LEVEL.error;
  if (/^[0-5]$/.test(text)) return Number(text) as LevelLimit;
  const index = LEVEL_NAMES.indexOf(text.toLowerCase() as LevelName);
  return index < 0 ? null : index as LevelLimit;
}
