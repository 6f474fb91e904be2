/** What an image says about its contents: the list of components (CycloneDX 1.6) and the licences. */
import { createHash } from "node:crypto";
import type { DebianPackage } from "./debian.ts";
import type { NpmPackage } from "./npm_packages.ts";
import type { Stamp } from "./oci.ts";
import type { Platform } from "./platform.ts";
import type { TlsLibrary } from "./tls_library.ts";

/** Everything that an image is made of. */
export interface Contents {
  readonly platform: Platform;
  /** Version and SHA-256 of the runtime. */
  readonly runtime: { readonly version: string; readonly sha256: string };
  readonly npm: readonly NpmPackage[];
  /** Null: Debian's alone. */
  readonly tlsLibrary: TlsLibrary | null;
  readonly debian: readonly DebianPackage[];
}

const PRODUCT = "ztunnel";
/** As the crate states it. */
const AWS_LC_LICENSE = "ISC AND (Apache-2.0 OR ISC) AND Apache-2.0 AND MIT AND BSD-3-Clause AND " +
  "(Apache-2.0 OR ISC OR MIT) AND (Apache-2.0 OR ISC OR MIT-0)";

/** The components as CycloneDX JSON. The same contents give the same text. */
export function componentList(contents: Contents, stamp: Stamp): string {
  const { platform, npm, tlsLibrary } = contents;
  const product = `${PRODUCT}@${stamp.version}`;
  const components = [
    runtimeComponent(contents),
    ...tlsLibrary === null ? [] : [tlsComponent(tlsLibrary)],
    ...npm.map(npmComponent),
    ...debianComponents(contents),
  ];
  const isRequired = new Set(npm.flatMap(({ dependencies }) => dependencies));
  const direct = components.map((component) => component["bom-ref"]).filter((ref) => !isRequired.has(ref));
  const body = {
    metadata: {
      timestamp: new Date(stamp.time * 1000).toISOString(),
      component: {
        "type": "application",
        "bom-ref": product,
        "name": PRODUCT,
        "version": stamp.version,
        "licenses": [{ license: { id: "Apache-2.0" } }],
        "properties": [
          { name: "revision", value: stamp.revision },
          { name: "architecture", value: platform.architecture },
        ],
      },
    },
    components,
    dependencies: [
      { ref: product, dependsOn: direct },
      ...npm.map(({ name, version, dependencies }) => ({ ref: `${name}@${version}`, dependsOn: dependencies })),
    ],
  };
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify(body))}`;
  const text = { bomFormat: "CycloneDX", specVersion: "1.6", serialNumber, version: 1, ...body };
  return JSON.stringify(text, null, 2) + "\n";
}

function runtimeComponent({ platform, runtime: { version, sha256 } }: Contents) {
  return {
    "type": "platform",
    "bom-ref": `deno@${version}`,
    "name": "deno",
    version,
    "hashes": [{ alg: "SHA-256", content: sha256 }],
    "licenses": [{ license: { id: "MIT" } }],
    "purl": `pkg:npm/${platform.runtime.replace("@", "%40")}@${version}`,
  };
}

/** By the name and version of the crate, by which databases of vulnerabilities know it too. */
function tlsComponent({ version, crate, sha256 }: TlsLibrary) {
  return {
    "type": "library",
    "bom-ref": `aws-lc-sys@${crate}`,
    "name": "aws-lc-sys",
    "version": crate,
    "description": `AWS-LC ${version}`,
    "hashes": [{ alg: "SHA-256", content: sha256 }],
    "licenses": [{ expression: AWS_LC_LICENSE }],
    "purl": `pkg:cargo/aws-lc-sys@${crate}`,
  };
}

function npmComponent({ name, version, sha512, license }: NpmPackage) {
  const [group, short] = name.startsWith("@") ? name.split("/") as [string, string] : [null, name];
  return {
    "type": "library",
    "bom-ref": `${name}@${version}`,
    ...group !== null && { group },
    "name": short,
    version,
    "hashes": [{ alg: "SHA-512", content: sha512 }],
    "licenses": [{ expression: license }],
    "purl": `pkg:npm/${name.replace("@", "%40")}@${version}`,
  };
}

function debianComponents({ platform, debian }: Contents) {
  return debian.map(({ name, version, sha256 }) => ({
    "type": "library",
    "bom-ref": `debian/${name}@${version}`,
    name,
    version,
    "hashes": [{ alg: "SHA-256", content: sha256 }],
    "purl": `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${platform.architecture}&distro=debian-13`,
  }));
}

/** A UUID (RFC 9562, version 8) that depends on the contents only. */
function uuidOf(text: string): string {
  const digits = createHash("sha256").update(text).digest("hex");
  const variant = "89ab"[parseInt(digits[16]!, 16) % 4];
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    `${variant}${digits.slice(17, 20)}`,
    digits.slice(20, 32),
  ]
    .join("-");
}

/** The licences of everything but Debian's packages, which have theirs in `/usr/share/doc`. */
export function licenseTexts(
  { npm, runtime, tlsLibrary }: Pick<Contents, "npm" | "runtime" | "tlsLibrary">,
  own: string,
): string {
  const part = (title: string, text: string) => `${"=".repeat(80)}\n${title}\n${"=".repeat(80)}\n\n${text.trim()}\n\n`;
  return [
    part(PRODUCT, own),
    part(`deno ${runtime.version} (MIT)`, DENO),
    part("GNU C library, in the program that starts the runtime (LGPL-2.1-or-later)", GLIBC),
    part("zlib, in the single executable (Zlib)", ZLIB),
    ...tlsLibrary === null ? [] : [part(`AWS-LC ${tlsLibrary.version} (${AWS_LC_LICENSE})`, tlsLibrary.licenseText)],
    ...npm.map(({ name, version, license, licenseText }) => part(`${name} ${version} (${license})`, licenseText)),
  ].join("");
}

/** The npm packages of the runtime contain no licence. Those of the crates in it are listed by its project. */
const DENO = `Copyright 2018-2026 the Deno authors. MIT License.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const GLIBC =
  `The program is linked statically. Its sources, tools/launcher, and tools/launcher/build.sh link it with another version
of the library. The licence is in /usr/share/doc/libc6/copyright of the image and of Debian.`;

const ZLIB = `Copyright (C) 1995-2024 Jean-loup Gailly and Mark Adler

This software is provided 'as-is', without any express or implied warranty. In no event will the authors be held liable
for any damages arising from the use of this software.

Permission is granted to anyone to use this software for any purpose, including commercial applications, and to alter it
and redistribute it freely, subject to the following restrictions:

1. The origin of this software must not be misrepresented; you must not claim that you wrote the original software. If
   you use this software in a product, an acknowledgment in the product documentation would be appreciated but is not
   required.
2. Altered source versions must be plainly marked as such, and must not be misrepresented as being the original software.
3. This notice may not be removed or altered from any source distribution.`;
