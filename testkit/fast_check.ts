/** `fast-check` as all random tests get it: the import map leads here. See `repeatable.ts`. */
import * as fc from "./repeatable.ts";

export default fc;
