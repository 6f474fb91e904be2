/** Default paths of files. They are relative to the working directory, which is `/` in an image. */

/** Istio's mesh configuration. */
export const MESH_FILE = "./etc/istio/config/mesh";
