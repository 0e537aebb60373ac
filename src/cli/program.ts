/** All commands as one program, which `scripts/bundle-program.mjs` makes one file of; each starts when it is imported. */

const COMMANDS: Readonly<Record<string, () => Promise<unknown>>> = {
  'cache-url': () => import('./cache-url.ts'),
  'dib-lint': () => import('./dib-lint.ts'),
  'dib-run-parts': () => import('./dib-run-parts.ts'),
  dibkit: () => import('./dibkit.ts'),
  'disk-image-create': () => import('./disk-image-create.ts'),
  'diskimage-builder': () => import('./diskimage-builder.ts'),
  'element-info': () => import('./element-info.ts'),
  engine: () => import('./engine.ts'),
};

/** Starts a command; it takes its arguments from `process.argv`. */
export function run(name: string): void {
  void COMMANDS[name]?.();
}
