/**
 * Writes docs/commands.md from what the commands say of themselves (`--help`), and from the few things
 * below that a help has no room for.
 *
 *     node scripts/command-docs.mjs            writes the page
 *     node scripts/command-docs.mjs --check    fails when the page is another one
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const page = path.join(root, 'docs/commands.md');

const BUILD_FILES = [
  ['`NAME.TYPE`', 'the images; an old one is replaced or renamed aside, see [Guide](guide.md)'],
  ['`$TMPDIR/dib_build.*`, `dib_image.*`', 'work directories, gone at the end'],
  ['`$DIB_IMAGE_CACHE`', 'downloads, and in `layers/` what is not built again'],
  [
    '`$DIB_LOCKFILES`',
    'locks of hooks (default: `~/.cache/dib/lockfiles`); of downloads see [Cache](cache.md)',
  ],
];

const SERVICE_FILES = [
  ['`/etc/migration-update/config.yaml`', 'the configuration, where it is not the built-in one'],
  ['`/var/lib/migration-update`', 'the state: records of runs, journals, logs'],
];

/** By command: files, and what to read next. */
const ABOUT = {
  'cache-url': {
    files: [['`DESTINATION`', 'the copy; its time is that of the download']],
    see: ['[dibkit fetch](#dibkit-fetch), which verifies', '[Cache](cache.md)'],
  },
  'dib-lint': {
    files: [
      ['`tox.ini`', 'section `[dib-lint]`, `ignore`: checks that are off everywhere'],
      ['`.gitignore`', 'files that are left out'],
    ],
    see: ['[Elements](elements.md)', '[element-info](#element-info)'],
  },
  'dib-run-parts': {
    files: [
      ['`DIRECTORY/../environment.d/*`', 'sourced before the hooks'],
      ['`DIRECTORY/*`', 'the hooks: executable, of a fitting name'],
    ],
    see: ['[Elements](elements.md)'],
  },
  dibkit: {
    files: [['`$DIB_IMAGE_CACHE/layers/`', 'the layer store']],
    see: ['[disk-image-create](#disk-image-create)', '[Layers](layers.md)', '[Cache](cache.md)'],
  },
  'disk-image-create': {
    files: BUILD_FILES,
    see: [
      '[Guide](guide.md)',
      '[Elements](elements.md)',
      '[Troubleshooting](troubleshooting.md)',
      '[dibkit](#dibkit)',
    ],
  },
  'diskimage-builder': {
    files: [
      ['`FILE`', 'the list of images'],
      ['`DIR/NAME.log`', 'with `--logs DIR`: what the build of the image NAME printed'],
    ],
    see: ['[disk-image-create](#disk-image-create)', '[Images in CI](ci.md)'],
  },
  'element-info': {
    files: [
      ['`element-deps`, `element-provides`', 'in each element: what it needs, and what it is'],
    ],
    see: ['[Elements](elements.md)', '[dibkit plan](#dibkit-plan)'],
  },
  'migration-update': {
    files: SERVICE_FILES,
    see: ['[Package migration](migration-update.md)'],
  },
  'ramdisk-image-create': {
    files: [['`NAME.kernel`, `NAME.initramfs`', 'what is made'], ...BUILD_FILES.slice(1)],
    see: ['[disk-image-create](#disk-image-create)', '[Guide](guide.md)'],
  },
};

const HEADING = /^(Arguments|Options|Commands|Examples|Variables|Environment|Checks):$/;
const STATUS = /^(?:Exit codes|Exit status|Status): ?(.*)$/;
const SAME = { Variables: 'Environment' };

function helpOf(words) {
  const [command, ...rest] = words;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(root, 'bin', command), ...rest, '--help'],
    { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', TZ: 'UTC' } },
  );
  if (status !== 0) {
    throw new Error(`${words.join(' ')} --help ended with ${status}: ${stderr}`);
  }
  // Not this machine's, nor that of the line above.
  return parseHelp(stdout.replaceAll('(default: "UTC")', "(default: the host's)"));
}

/** A help in its parts. Arguments, options and verbs are rows: the term, and what it means. */
function parseHelp(text) {
  const [usage = '', ...lines] = text.trimEnd().split('\n');
  const parts = cut(lines);
  const linesOf = (name) =>
    parts.filter((part) => part.name === name).flatMap((part) => part.lines);
  const rowsOf = (name) => {
    const rows = [];
    for (const line of linesOf(name).filter(Boolean)) {
      addRow(rows, line);
    }
    return rows;
  };
  const blocks = ['Examples', 'Environment', 'Checks'].filter((name) => linesOf(name).length > 0);
  return {
    usage: usage.replace(/^Usage: /, ''),
    about: linesOf('about'),
    rows: {
      Arguments: rowsOf('Arguments'),
      Options: rowsOf('Options'),
      Commands: rowsOf('Commands'),
    },
    blocks: Object.fromEntries(blocks.map((name) => [name, linesOf(name)])),
    status: linesOf('status').join(' ').trim(),
  };
}

/** The lines by the headings that they are under; text that follows an empty line is under none. */
function cut(lines) {
  const parts = [{ name: 'about', lines: [] }];
  for (const line of lines) {
    const last = parts.at(-1);
    const [, heading] = HEADING.exec(line) ?? [];
    const [, status] = STATUS.exec(line) ?? [];
    if (heading !== undefined) {
      parts.push({ name: SAME[heading] ?? heading, lines: [] });
    } else if (status !== undefined) {
      parts.push({ name: 'status', lines: [status] });
    } else if (last.name !== 'about' && last.lines.at(-1) === '' && /^\S/.test(line)) {
      parts.push({ name: 'about', lines: ['', line] });
    } else {
      last.lines.push(line);
    }
  }
  return parts;
}

function addRow(rows, line) {
  const [, term, meaning] = /^ {2}(\S.*?)(?: {2,}(.*))?$/.exec(line) ?? [];
  if (term === undefined) {
    const last = rows.at(-1);
    last[1] = `${last[1]} ${line.trim()}`.trim();
  } else {
    rows.push([term, meaning ?? '']);
  }
}

function inMarkdown(text) {
  return text.replaceAll(/[*<>]/g, (character) =>
    character === '*' ? '\\*' : character === '<' ? '&lt;' : '&gt;',
  );
}

function table(head, rows) {
  const cell = (text) => text.replaceAll('|', '\\|');
  return [
    `| ${head.join(' | ')} |`,
    `| ${head.map(() => '---').join(' | ')} |`,
    ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
    '',
  ];
}

function code(lines) {
  const trimmed = lines.join('\n').replace(/^\n+|\n+$/g, '');
  return ['```text', ...dedent(trimmed.split('\n')), '```', ''];
}

function dedent(lines) {
  const depth = Math.min(...lines.filter(Boolean).map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(depth));
}

/** Paragraphs; what is indented is code. */
function prose(lines) {
  const paragraphs = lines
    .join('\n')
    .split(/\n{2,}/)
    .map((text) => text.replace(/^\n+|\n+$/g, ''));
  return paragraphs.filter((text) => text !== '').flatMap(mixed);
}

function mixed(text) {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith(' '));
  const [words, indented] =
    first === -1 ? [lines, []] : [lines.slice(0, first), lines.slice(first)];
  return [
    ...(words.length === 0 ? [] : [inMarkdown(words.join('\n')), '']),
    ...(indented.length === 0 ? [] : code(indented)),
  ];
}

function label(name) {
  return [`**${name}**`, ''];
}

const COMMON_STATUS = 'See [exit status](#exit-status).';

/** The sections of a command, or of a verb. */
function section(words, help, about) {
  const [summary = '', ...rest] = help.about.join('\n').trim().split('\n\n');
  const { Arguments, Options } = help.rows;
  const rows = (each) => each.map(([term, meaning]) => [`\`${term}\``, inMarkdown(meaning)]);
  return [
    ...label('Name'),
    `${words.join(' ')} - ${inMarkdown(summary.replaceAll('\n', ' '))}`,
    '',
    ...label('Synopsis'),
    ...code([help.usage]),
    ...(rest.length === 0 && about === undefined
      ? []
      : [
          ...label('Description'),
          ...prose((rest.length === 0 ? summary : rest.join('\n\n')).split('\n')),
        ]),
    ...(help.blocks.Checks === undefined ? [] : [...label('Checks'), ...code(help.blocks.Checks)]),
    ...(Arguments.length === 0
      ? []
      : [...label('Arguments'), ...table(['argument', 'meaning'], rows(Arguments))]),
    ...(Options.length === 0
      ? []
      : [...label('Options'), ...table(['option', 'meaning'], rows(Options))]),
    ...(help.blocks.Environment === undefined
      ? []
      : [...label('Environment'), ...code(help.blocks.Environment)]),
    ...(about === undefined && help.status === ''
      ? []
      : [
          ...label('Exit status'),
          help.status === '' ? COMMON_STATUS : inMarkdown(help.status),
          '',
        ]),
    ...(about === undefined
      ? []
      : [...label('Files'), ...table(['file', 'what it is'], about.files)]),
    ...(help.blocks.Examples === undefined
      ? []
      : [...label('Examples'), ...code(help.blocks.Examples)]),
    ...(about === undefined ? [] : [...label('See also'), `${about.see.join(' · ')}`, '']),
  ];
}

function verbsOf(help) {
  return help.rows.Commands.map(([term]) => term.split(' ')[0]).filter((verb) => verb !== 'help');
}

function commandSections(command) {
  const help = helpOf([command]);
  const about = ABOUT[command];
  const lacks = ['Examples', 'Environment'].filter((block) => help.blocks[block] === undefined);
  if (about === undefined || lacks.length > 0) {
    throw new Error(
      `${command} lacks ${lacks.join(', ')} in its help, or a row in ${import.meta.url}`,
    );
  }
  const verbs = verbsOf(help);
  return [
    `## ${command}`,
    '',
    ...section([command], help, about),
    ...(verbs.length === 0
      ? []
      : [`Verbs: ${verbs.map((verb) => `[${verb}](#${command}-${verb})`).join(', ')}`, '']),
    ...verbs.flatMap((verb) => verbSections([command, verb])),
  ];
}

function verbSections(words) {
  const help = helpOf(words);
  const below = verbsOf(help).flatMap((verb) => {
    const all = [...words, verb];
    return [`#### ${all.join(' ')}`, '', ...section(all, helpOf(all), undefined)];
  });
  if (help.blocks.Examples === undefined) {
    throw new Error(`${words.join(' ')} needs examples in its help`);
  }
  return [`### ${words.join(' ')}`, '', ...section(words, help, undefined), ...below];
}

function render() {
  const commands = readdirSync(path.join(root, 'bin'))
    .filter((name) => !name.endsWith('.json'))
    .sort();
  return [
    '# Commands',
    '',
    'Every command, as a manual has it. The page is made from what the commands print with `--help`',
    '(`node scripts/command-docs.mjs`), and a test holds that it is.',
    '',
    ...commands.map((command) => `- [${command}](#${command})`),
    '',
    ...commands.flatMap(commandSections),
    '## Exit status',
    '',
    'Of all commands that do not say otherwise above.',
    '',
    ...table(
      ['status', 'meaning'],
      [
        ['0', 'done'],
        ['1', 'a hook or tool failed, or a disk is full'],
        ['2', 'the command line or a configuration is wrong'],
        ['3', 'the host lacks something'],
        ['4', 'an input failed verification'],
        ['5', 'waited too long for a lock'],
        ['70', 'a bug of ours'],
        ['128 + n', 'interrupted by signal n'],
      ],
    ),
  ]
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n');
}

const made = `${render().trimEnd()}\n`;
if (process.argv.includes('--check')) {
  if (readFileSync(page, 'utf8') !== made) {
    process.stderr.write(
      'docs/commands.md is not what the commands say: run node scripts/command-docs.mjs\n',
    );
    process.exitCode = 1;
  }
} else {
  writeFileSync(page, made);
}
