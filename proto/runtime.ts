/**
 * The protobuf library as the generated modules get it: 64-bit integers are numbers.
 *
 * The library would make `Long` objects of them. What our schemas have of these are times: seconds are exact, the
 * container runtime's nanoseconds are exact to 256.
 */
import protobuf from "protobufjs/minimal.js";

Reflect.set(protobuf.util, "Long", null);
protobuf.configure();

export default protobuf;
