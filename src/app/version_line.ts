/** Which build this is, in one line. */
import { BUILD } from "../config/build.ts";
import { versionInfo, versionText } from "../config/version.ts";

/** `istioVersion`: the version of Istio, if the image names one. */
export function versionLine(istioVersion = "unknown"): string {
  return versionText(versionInfo(BUILD, `deno ${Deno.version.deno}`, istioVersion));
}
