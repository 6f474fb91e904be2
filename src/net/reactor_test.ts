import { LOOPBACK_V4, LOOPBACK_V6 } from "./address.ts";
import { networkContract } from "./network_contract.ts";
import { ReactorRig } from "./testing_reactor.ts";

networkContract("reactor over IPv4", () => Promise.resolve(new ReactorRig(LOOPBACK_V4)));
networkContract("reactor over IPv6", () => Promise.resolve(new ReactorRig(LOOPBACK_V6)));
