import { strict as assert } from "node:assert";
import { changelogSection, releaseNotes } from "./notes.ts";

const CHANGELOG =
  "# Changelog\n\nText.\n\n## Unreleased\n\n- new\n\n## 1.1.0: 2026-12-01\n\n### Added\n\n- more\n\n## 1.0.0\n\n- first\n";

Deno.test("release notes: the section of a version, without its heading and up to the next version", () => {
  assert.equal(changelogSection(CHANGELOG, "1.1.0"), "### Added\n\n- more");
  assert.equal(changelogSection(CHANGELOG, "1.0.0"), "- first");
});

Deno.test("release notes: a build between releases has the unreleased changes", () => {
  assert.equal(changelogSection(CHANGELOG, "1.2.0-dev"), "- new");
});

Deno.test("release notes: a version without a section is an error", () => {
  assert.throws(() => changelogSection(CHANGELOG, "1.1"), /no section "## 1\.1"/);
});

Deno.test("release notes: they name the digest of the image and the revision", () => {
  const text = releaseNotes({ version: "1.1.0", revision: "f00d", changes: "- more", image: "sha256:1" });
  assert.match(text, /^# ztunnel 1\.1\.0\n\n- more\n/);
  assert.match(text, /its index is `sha256:1`/);
  assert.match(text, /Built from f00d\./);
});
