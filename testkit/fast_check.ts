/** The module that the import map substitutes for `fast-check`. See `repeatable.ts`. */
import * as fc from "./repeatable.ts";

export default fc;
