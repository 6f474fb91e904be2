/** The notes of a release: its section of the changelog, and what its files are. */

/**
 * The section of a version in the text of `CHANGELOG.md`, without its heading; that of unreleased changes for a build
 * between releases. Throws where there is none.
 */
export function changelogSection(changelog: string, version: string): string {
  const title = version.endsWith("-dev") ? "Unreleased" : version;
  const sections = changelog.split(/^## /m).slice(1);
  const found = sections.find((section) => /^[^\s:]+/.exec(section)?.[0] === title);
  if (found === undefined) throw new Error(`CHANGELOG.md has no section "## ${title}"`);
  return found.slice(found.indexOf("\n") + 1).trim();
}

/** What the notes are made of. */
interface Notes {
  readonly version: string;
  readonly revision: string;
  readonly changes: string;
  /** Digest of the index of images. */
  readonly image: string;
}

/** The text of the notes, in Markdown. */
export function releaseNotes({ version, revision, changes, image }: Notes): string {
  return `# ztunnel ${version}

${changes}

## Files

| file | what it is |
| --- | --- |
| \`ztunnel-${version}-ARCH\` | the executable, for Linux with glibc |
| \`ztunnel-${version}-oci.tar\` | the container image for all architectures, an OCI layout; its index is \`${image}\` |
| \`ztunnel-${version}-deploy.tar.gz\` | values for the charts of Istio and Cilium, plain manifests, registration at SPIRE, monitoring, systemd |
| \`ztunnel-${version}-ARCH.cdx.json\` | the components of the image (CycloneDX) |
| \`ztunnel-${version}-ARCH.licenses.txt\` | licences |
| \`SHA256SUMS\` | checksums: \`sha256sum -c SHA256SUMS\` |

Built from ${revision}. \`deno task release --verify\` makes the same bytes from it.
`;
}
