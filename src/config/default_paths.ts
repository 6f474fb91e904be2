/** Where files are that no setting names. Relative to the working directory, which is `/` in an image. */

/** Istio's mesh configuration. */
export const MESH_FILE = "./etc/istio/config/mesh";
