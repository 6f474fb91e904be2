/**
 * How the mesh sections of a config dump travel from a worker to main: main asks for one slice after the other, so
 * there is never more than one on its way, and the worker stands still for as long as whoever reads the dump does.
 *
 *     main                       worker
 *      │── dump-begin ─────────────▶│  takes references to the whole mesh
 *      │── dump-more ──────────────▶│
 *      │◀──────────── dump-slice ───│  … until `ended`, once for each section in order
 *      │── dump-end ───────────────▶│  whether complete or given up
 */

/** `dump`: a number of main's choice, used once. */
export type DumpRequest =
  | { readonly kind: "dump-begin"; readonly dump: number }
  /** The next slice of the section under way. */
  | { readonly kind: "dump-more"; readonly dump: number }
  | { readonly kind: "dump-end"; readonly dump: number };

export type DumpAnswer =
  /** A part of a section's text. `ended`: the section is complete, the next slice is of the one after it. */
  | { readonly kind: "dump-slice"; readonly dump: number; readonly text: string; readonly ended: boolean }
  | { readonly kind: "dump-failed"; readonly dump: number; readonly message: string };
