/** What is known of one environment variable: the parsers take its default from here, the manual its description. */

/**
 * How a value is written. `docs/configuration.md` explains the words to operators (`tools/manual/configuration_page.ts`).
 *
 * - `bool`: exactly `true` or `false`
 * - `switch`: on for one literal, which `values` names; any other value is off and never an error
 * - `words`: one of the words that `values` names
 * - `u16`, `u32`, `u64`: whole numbers of that many bits
 * - `text`: anything else; `values` shows its form
 */
export type Syntax = "bool" | "switch" | "words" | "u16" | "u32" | "u64" | "duration" | "text";

/** One environment variable: its syntax, its default, and its description in the manual. */
export interface Setting {
  readonly syntax: Syntax;
  /** What an unset variable means, written as a value of the variable. Null: nothing, or what `unset` says in words. */
  readonly fallback: string | null;
  /** Description for operators. */
  readonly text: string;
  /** The words that are accepted, or the form of a text. */
  readonly values?: string;
  /** What applies where the variable is not set and `fallback` is null. */
  readonly unset?: string;
  /** Which other proxy knows the variable: the Rust ztunnel (if absent), its branch for SPIRE, or none. */
  readonly origin?: "spire" | "ours";
  /** The first version with this setting. Absent: 1.0.0. */
  readonly since?: string;
}
