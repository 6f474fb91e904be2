/**
 * Messages for the mesh sections of a config dump. Main requests one slice after the other, so that one at most is in
 * flight, and a slow reader of the dump delays the next request.
 *
 *     main                       worker
 *      │── dump-begin ─────────────▶│  keeps references to the whole mesh
 *      │── dump-more ──────────────▶│
 *      │◀──────────── dump-slice ───│  … until `ended`, once for each section in order
 *      │── dump-end ───────────────▶│  after the last slice, or before
 */

/** From main to a worker. `dump`: a number that main chooses and uses once. */
export type DumpRequest =
  | { readonly kind: "dump-begin"; readonly dump: number }
  /** Requests the next slice of the current section. */
  | { readonly kind: "dump-more"; readonly dump: number }
  | { readonly kind: "dump-end"; readonly dump: number };

/** From a worker to main. */
export type DumpAnswer =
  /** A part of a section's text. `ended`: the section is complete, the next slice is of the one after it. */
  | { readonly kind: "dump-slice"; readonly dump: number; readonly text: string; readonly ended: boolean }
  | { readonly kind: "dump-failed"; readonly dump: number; readonly message: string };
