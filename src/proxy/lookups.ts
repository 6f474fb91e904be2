/** Lookups of resources that the mesh does not have, on demand (`docs/spec/xds-state.md` 2.9). */

/** Requests resources of the control plane. */
export interface Lookups {
  /**
   * `name`: `{network}/{ip}` or `{namespace}/{hostname}`. `done` is called once and never from inside, unless the caller
   * stops the lookup by calling the result. Null: the resources with that name are in the mesh now, which may be none. A
   * text: the reason why that is not known.
   */
  lookUp(name: string, done: (failure: string | null) => void): () => void;
}
