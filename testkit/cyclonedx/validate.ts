/**
 * Validates the CycloneDX JSON of standard input against the schema of its specification, with the library of the
 * CycloneDX project. Prints what is wrong as JSON, `null` if nothing is.
 */
// The library looks for these by itself, and they must be among the packages of this program.
import "ajv";
import "ajv-formats";
import "ajv-formats-draft2019";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";

const text = await new Response(Deno.stdin.readable).text();
const wrong = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
console.log(JSON.stringify(wrong));
