/** The command `dibkit`: what upstream does not have, one verb each. */
import { Command } from 'commander';
import { runCommand } from './main.ts';
import { packageVersion } from './package-paths.ts';
import { parseArguments } from './parse-arguments.ts';

const EXAMPLES = `
Examples:
  dibkit doctor vm debian-minimal
      what this host lacks for that build, and the command that installs it
  dibkit plan --image-size 2 vm debian-minimal
      the whole build, and nothing is run
  dibkit plan --json -t qcow2,tar vm debian-minimal | jq .phases
  dibkit plan --ramdisk debian-minimal
      the same for ramdisk-image-create
  dibkit diff monday.qcow2 tuesday.qcow2
      what changed from one image to the next

Environment:
  DIB_IMAGE_CACHE   what is kept from build to build (default: ~/.cache/image-create)
  TMPDIR            where builds work, and what leaves nothing behind

Each verb has a help of its own: dibkit VERB --help.

Exit codes: 0 done, 1 a tool failed, 2 usage or configuration, 3 the host lacks something, 4 an input
failed verification, 5 waited too long for a lock, 70 our own bug, 128+n signal n
`;

const VERBS = {
  diff: async (argv: readonly string[]) => (await import('./diff.ts')).diff(argv),
  cache: async (argv: readonly string[]) =>
    (await import('./namespace-root.ts')).asNamespaceRoot(async () =>
      (await import('./cache.ts')).cacheCommand(argv),
    ),
  doctor: async (argv: readonly string[]) => (await import('./doctor.ts')).doctor(argv),
  fetch: async (argv: readonly string[]) => (await import('./fetch.ts')).fetchCommand(argv),
  extract: async (argv: readonly string[]) => (await import('./extract.ts')).extract(argv),
  'unpack-image': async (argv: readonly string[]) =>
    (await import('./unpack-image.ts')).unpackImageCommand(argv),
  clean: async (argv: readonly string[]) => (await import('./clean.ts')).clean(argv),
  enter: async (argv: readonly string[]) => (await import('./enter.ts')).enter(argv),
  plan: async (argv: readonly string[]) => (await import('./plan.ts')).plan(argv),
} as const;

void runCommand(async () => {
  const [verb = '--help', ...rest] = process.argv.slice(2);
  if (Object.hasOwn(VERBS, verb)) {
    return VERBS[verb as keyof typeof VERBS](rest);
  }
  const [about = ''] = rest;
  if (verb === 'help' && Object.hasOwn(VERBS, about)) {
    return VERBS[about as keyof typeof VERBS](['--help']);
  }
  const command = new Command('dibkit')
    .description(
      'Looks at builds of disk images before, while and after they run, and at what they keep or leave.',
    )
    .usage('VERB [OPTION]... [ELEMENT]...')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES);
  command.command('cache').description('the layers that builds keep: ls, show, prune, verify');
  command.command('doctor').description('what this host lacks for a build');
  command.command('clean').description('removes what builds left that could not clean up');
  command.command('enter').description('a shell in a build that runs or is stopped');
  command.command('diff').description('what differs between two images, path by path');
  command.command('fetch').description('a file from the network into the cache, verified');
  command.command('extract').description('put an archive into a directory, and nowhere else');
  command.command('unpack-image').description('put a container image into a directory');
  command.command('plan').description('the whole build as text, or as JSON with --json');
  parseArguments(command, [verb, ...rest]);
  return 0;
});
