/**
 * Prints the flags with which the proxy is started in this environment, on one line (`deno task start`), or with
 * `--header` as a C header for `tools/launcher`.
 */
import { header, productFlags } from "../lab/product_flags.ts";

console.log(Deno.args[0] === "--header" ? header() : productFlags(Deno.env.toObject()).join(" "));
