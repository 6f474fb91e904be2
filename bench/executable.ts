/** The program that is measured as ours: an executable, as operators run it. Run from its sources it takes 15 MB more. */

const REPOSITORY = new URL("../", import.meta.url).pathname;

/**
 * Returns the path of the executable: that of `ZTUNNEL_EXECUTABLE`, else one that is built in `folder`, which takes a
 * few seconds. It has no TLS library of its own, so that each kind has the one that its name says. Null: it cannot be
 * built here, for the reason that `say` gets.
 */
export async function executable(folder: string, say: (text: string) => void): Promise<string | null> {
  const given = Deno.env.get("ZTUNNEL_EXECUTABLE");
  if (given) return given;
  const build = new Deno.Command(`${REPOSITORY}compile.sh`, {
    args: ["-f", "folder", "-o", `${folder}/product`],
    env: { BUNDLED_TLS_LIBRARY: "none" },
    stdin: "null",
  });
  const { success, stderr } = await build.output();
  if (success) return `${folder}/product/ztunnel`;
  say(`measures the sources, as the executable cannot be built: ${new TextDecoder().decode(stderr).trim()}`);
  return null;
}
