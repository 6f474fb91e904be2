/** Asking the control plane about what the mesh does not know, on demand (`docs/spec/xds-state.md` 2.9). */

export interface Lookups {
  /**
   * `name`: `{network}/{ip}` or `{namespace}/{hostname}`. `done` is called once, never from inside, unless given up by
   * calling the result. Null: what is known under the name is in the mesh now, which may be nothing. A text: nobody can
   * say, and why.
   */
  ask(name: string, done: (failure: string | null) => void): () => void;
}
