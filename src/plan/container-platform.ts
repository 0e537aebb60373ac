/** What registries call an architecture. Source: OCI image-spec, config.md; Go's GOARCH and GOARM. */

export interface Platform {
  readonly os: 'linux';
  readonly architecture: string;
  readonly variant?: string;
}

const ROWS: Readonly<Record<string, Omit<Platform, 'os'>>> = {
  x86_64: { architecture: 'amd64' },
  aarch64: { architecture: 'arm64', variant: 'v8' },
  arm64: { architecture: 'arm64', variant: 'v8' },
  armel: { architecture: 'arm', variant: 'v5' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armv7l: { architecture: 'arm', variant: 'v7' },
  i386: { architecture: '386' },
  i686: { architecture: '386' },
  loongarch64: { architecture: 'loong64' },
  mips64el: { architecture: 'mips64le' },
  ppc64el: { architecture: 'ppc64le' },
};

/** The platform of `ARCH`, in Debian's words or the kernel's; what is not in the table is called the same. */
export function platformOf(arch: string): Platform {
  return { os: 'linux', ...(ROWS[arch] ?? { architecture: arch }) };
}
