/** The machines that images are built for, by the names that each tool has for them. */
export interface Platform {
  /** Debian's and OCI's name. */
  readonly architecture: "amd64" | "arm64";
  /** The kernel's name, which `compile.sh` takes. */
  readonly machine: "x86_64" | "aarch64";
  /** OCI's variant, null where there is none. */
  readonly variant: string | null;
  /** The dynamic linker as programs name it. */
  readonly linker: string;
  /** The npm package of the runtime. */
  readonly runtime: string;
}

export const PLATFORMS: readonly Platform[] = [
  {
    architecture: "amd64",
    machine: "x86_64",
    variant: null,
    linker: "usr/lib64/ld-linux-x86-64.so.2",
    runtime: "@deno/linux-x64-glibc",
  },
  {
    architecture: "arm64",
    machine: "aarch64",
    variant: "v8",
    linker: "usr/lib/ld-linux-aarch64.so.1",
    runtime: "@deno/linux-arm64-glibc",
  },
];

/** That of this machine. */
export const HERE: Platform = PLATFORMS.find(({ machine }) => machine === Deno.build.arch)!;

/** The platforms of a list such as `amd64,arm64`. Throws for other names. */
export function platformsOf(list: string): Platform[] {
  return list.split(",").map((name) => {
    const found = PLATFORMS.find(({ architecture }) => architecture === name);
    if (found === undefined) throw new Error(`--arch must be a list of amd64 and arm64, and is "${list}"`);
    return found;
  });
}
