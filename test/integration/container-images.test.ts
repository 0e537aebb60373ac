/** Images of containers, judged by those who use them: Docker, skopeo, umoci. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Docker, openDocker } from '../rig/docker.ts';
import { openMirror } from '../rig/openeuler-mirror/mirror.ts';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';

const ELEMENTS = fileURLToPath(new URL('../../elements', import.meta.url));

let rig: Rig;
let docker: Docker;

before(async () => {
  rig = await openRig();
  docker = await openDocker();
  await rig.element('app', {
    'container.d/10-app.yaml': `
env: {GREETING: "hello \${DIB_WHO:-world}", LEVEL: 1}
workdir: /srv/app
entrypoint: [/bin/sh, -c]
cmd: ['echo "$GREETING $LEVEL $(pwd) $(stat -c %u:%g:%a /srv/app/data)"']
user: 1000:1000
labels: {org.example.version: 1.10}
ports: [80, 53/udp]
volumes: [/srv/app/data]
author: Somebody
stop-signal: SIGINT
`,
    'root.d/50-nodes': hook('mknod "$TARGET_ROOT/dev/left-behind" c 1 3'),
    'install.d/10-app': hook(`
      mkdir -p /srv/app/data
      chmod 0750 /srv/app/data
      chown 1000:1000 /srv/app/data`),
  });
  await rig.element('churn', {
    'root.d/50-old': hook(`
      mkdir -p "$TARGET_ROOT/data/replaced" "$TARGET_ROOT/data/emptied" "$TARGET_ROOT/data/dir"
      for name in gone gone-too kept replaced/old emptied/old dir/old; do
          echo old >"$TARGET_ROOT/data/$name"
      done`),
    'install.d/10-churn': hook(`
      cd /data
      rm gone gone-too
      rm -r replaced dir
      mkdir replaced
      echo new >replaced/new
      echo file >dir`),
    'finalise.d/10-churn': hook('rm /data/emptied/old'),
    'cleanup.d/10-churn': hook('echo last >"$TARGET_ROOT/data/last"'),
  });
});

after(async () => {
  await docker[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** A path in the output directory. */
function out(name: string): string {
  return path.join(rig.out, name);
}

function output(argv: readonly [string, ...string[]], cwd = rig.out): string {
  const [file, ...args] = argv;
  const result = spawnSync(file, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(result.status, 0, `${argv.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

function build(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Result> {
  return rig.run('disk-image-create', ['-n', ...args], { env });
}

function assertDone(result: Result): void {
  assert.equal(result.status, 0, (result.stdout + result.stderr).slice(-4000));
}

test('Docker loads the archive, runs it as the elements say, and shows what they said', async () => {
  assertDone(
    await build(
      ['-t', 'docker,oci', '-o', 'app', '--docker-target', 'team/app:1.0', 'tiny', 'app'],
      {
        DIB_CONTAINER_ENV: 'LEVEL=2',
        DOCKER_HOST: 'unix:///nowhere',
      },
    ),
  );
  docker.run(['load', '--input', out('app.docker')]);
  const run = ['run', '--rm', '--network', 'none', 'team/app:1.0'];
  assert.equal(docker.run(run), 'hello world 2 /srv/app 1000:1000:750\n');
  const [shown] = JSON.parse(docker.run(['inspect', 'team/app:1.0']));
  assert.equal(shown.Architecture, 'amd64');
  assert.equal(shown.Author, 'Somebody');
  const { Env, User, WorkingDir, Entrypoint, ExposedPorts, Volumes, Labels, StopSignal } =
    shown.Config;
  assert.deepEqual(
    { Env, User, WorkingDir, Entrypoint, ExposedPorts, Volumes, Labels, StopSignal },
    {
      Env: ['GREETING=hello world', 'LEVEL=2'],
      User: '1000:1000',
      WorkingDir: '/srv/app',
      Entrypoint: ['/bin/sh', '-c'],
      ExposedPorts: { '53/udp': {}, '80/tcp': {} },
      Volumes: { '/srv/app/data': {} },
      Labels: { 'org.example.version': '1.10' },
      StopSignal: 'SIGINT',
    },
  );
});

/** What `docker history` says of an image, lowest layer first. */
function historyOf(image: string): readonly string[] {
  const { history } = JSON.parse(output(['skopeo', 'inspect', '--config', image]));
  return history.map((layer: { created_by: string }) => layer.created_by);
}

const CHURN = [
  // With and without layers of the build, and with some that the build could not keep.
  { env: {}, layers: ['root.d', 'extra-data.d', 'install.d', 'finalise.d', 'cleanup.d'] },
  { env: { DIB_NO_LAYERS: '1' }, layers: ['disk-image-create tiny churn'] },
  {
    env: { break: 'after-install', break_cmd: 'true' },
    layers: ['root.d', 'extra-data.d', 'install.d', 'what was not kept as a layer'],
  },
  { env: { SOURCE_DATE_EPOCH: '1700000000' }, layers: ['disk-image-create tiny churn'] },
] as const;

test('what a later phase removes or replaces is not in the image, in however many layers', async () => {
  for (const { env, layers } of CHURN) {
    assertDone(
      await build(['-t', 'docker,oci', '-o', 'churn', 'tiny', 'churn'], {
        ...env,
        OVERWRITE_OLD_IMAGE: '1',
      }),
    );
    assert.deepEqual(historyOf('oci-archive:churn.oci'), layers);
    docker.run(['load', '--input', out('churn.docker')]);
    const script = `cd /data && for f in * */*; do [ ! -f $f ] || echo $f: $(cat $f); done
      ls -A emptied; [ ! -s /etc/resolv.conf.ORIG ]`;
    const run = ['run', '--rm', '--network', 'none', 'churn', '/bin/sh', '-c', script];
    assert.deepEqual(
      docker.run(run).split('\n'),
      ['dir: file', 'kept: old', 'last: last', 'replaced/new: new', ''],
      layers.join(', '),
    );
  }
});

test('umoci finds in the layers what the whole tree has', async () => {
  const listings: string[] = [];
  for (const [name, squash] of [
    ['layered', '0'],
    ['whole', '1'],
  ] as const) {
    assertDone(
      await build(['-t', 'oci', '-o', name, 'tiny', 'churn', 'app'], {
        DIB_CONTAINER_SQUASH: squash,
      }),
    );
    output(['skopeo', 'copy', '--quiet', `oci-archive:${name}.oci`, `oci:compared:${name}`]);
    output(['umoci', 'unpack', '--image', `compared:${name}`, `bundle-${name}`]);
    const list = ['find', '.', '-printf', '%P %y %m %U:%G %l\\n'] as const;
    listings.push(
      output(list, out(`bundle-${name}/rootfs`))
        .split('\n')
        .sort()
        .join('\n'),
    );
  }
  assert.ok(historyOf('oci-archive:layered.oci').length > 1);
  assert.equal(listings[0], listings[1]);
});

test('skopeo and umoci read both formats, and find the same image in them', async () => {
  const config = JSON.parse(output(['skopeo', 'inspect', '--config', 'oci-archive:app.oci']));
  assert.deepEqual(
    JSON.parse(output(['skopeo', 'inspect', '--config', 'docker-archive:app.docker'])),
    config,
  );
  // Reads every blob and compares it with its digest.
  output(['skopeo', 'copy', '--quiet', 'oci-archive:app.oci', 'oci:layout:copied']);
  output(['skopeo', 'copy', '--quiet', 'docker-archive:app.docker', 'oci:layout:from-docker']);
  output(['umoci', 'unpack', '--image', 'layout:copied', 'bundle']);
  const names = output(['find', 'bundle/rootfs/dev', 'bundle/rootfs/srv']);
  assert.deepEqual(names.trim().split('\n').sort(), [
    'bundle/rootfs/dev',
    'bundle/rootfs/srv',
    'bundle/rootfs/srv/app',
    'bundle/rootfs/srv/app/data',
  ]);
  const { process } = JSON.parse(await readFile(out('bundle/config.json'), 'utf8'));
  assert.equal(process.cwd, '/srv/app');
});

test('our own reader unpacks what our own writer wrote', async () => {
  output(['mkdir', 'unpacked']);
  const result = await rig.run('dibkit', ['unpack-image', out('churn.docker'), out('unpacked')]);
  assertDone(result);
  assert.equal(await readFile(out('unpacked/data/replaced/new'), 'utf8'), 'new\n');
});

test('layers are compressed as asked, and Docker loads gzip', async () => {
  for (const [compression, type] of [
    ['gzip', 'tar+gzip'],
    ['zstd', 'tar+zstd'],
    ['none', 'tar'],
  ] as const) {
    assertDone(
      await build(['-t', 'oci,docker', '-o', `as-${compression}`, 'tiny'], {
        DIB_CONTAINER_COMPRESSION: compression,
      }),
    );
    const image = `oci-archive:as-${compression}.oci`;
    const { layers } = JSON.parse(output(['skopeo', 'inspect', '--raw', image]));
    assert.ok(layers[0].mediaType.endsWith(`layer.v1.${type}`), layers[0].mediaType);
    output(['skopeo', 'copy', '--quiet', image, `dir:${compression}`]);
  }
  docker.run(['load', '--input', out('as-gzip.docker')]);
  const echo = ['run', '--rm', '--network', 'none', 'as-gzip', '/bin/sh', '-c', 'echo base'];
  assert.equal(docker.run(echo), 'base\n');
});

test('the same build at the same SOURCE_DATE_EPOCH is the same archive, byte by byte', async () => {
  const sums: string[] = [];
  for (const time of ['12:00', '13:30']) {
    assertDone(
      await build(['-t', 'oci,docker', '-o', 'same', 'tiny', 'app', 'churn'], {
        OVERWRITE_OLD_IMAGE: '1',
        SOURCE_DATE_EPOCH: '1700000000',
        DIB_CONTAINER_AUTHOR: 'me',
        TZ: time === '12:00' ? 'UTC' : 'Asia/Shanghai',
      }),
    );
    sums.push(output(['sha256sum', 'same.oci', 'same.docker']));
  }
  assert.equal(sums[0], sums[1]);
  const { created } = JSON.parse(output(['skopeo', 'inspect', '--config', 'oci-archive:same.oci']));
  assert.equal(created, '2023-11-14T22:13:20Z');
});

test('--docker-target loads the image into the Docker that runs, and the archive is there too', async () => {
  const target = 'registry.example:5000/team/web:2';
  const env = { DOCKER_HOST: docker.host, DIB_CONTAINER_CMD: 'echo loaded' };
  const result = await build(['-t', 'docker', '-o', 'web', '--docker-target', target, 'tiny'], env);
  assertDone(result);
  assert.match(result.stdout, new RegExp(`Loaded image: ${target}`));
  assert.equal(docker.run(['run', '--rm', '--network', 'none', target]), 'loaded\n');
  await rm(out('web.docker'));
});

test('without a Docker that runs, --docker-target warns and leaves the archive', async () => {
  const env = { DOCKER_HOST: `unix://${rig.dir}/nobody` };
  const result = await build(
    ['-t', 'docker', '-o', 'alone', '--docker-target', 'alone', 'tiny'],
    env,
  );
  assertDone(result);
  const said = result.events.flatMap((event) =>
    event.kind === 'message' && event.level === 'warning' ? [event.text] : [],
  );
  const [warning = ''] = said.filter((text) => text.includes('docker load'));
  assert.match(warning, /^No Docker to load 'alone:latest' into \(.*nobody.*\).*alone\.docker$/);
  assert.ok((await rig.outputs()).includes('alone.docker'));
});

/** What a shell of the image's own says to a script. */
function inContainer(image: string, script: string): string {
  return docker.run(['run', '--rm', '--network', 'none', image, '/bin/bash', '-ic', script]);
}

const NO_MACHINE =
  'ls -A /boot /lib/modules 2>/dev/null | grep -E "vmlinu|initr|grub|^[0-9]" || true';

test('a user whom the image lacks, and a target without an archive to load, are warned of', async () => {
  await rig.element('nobodys', { 'container.d/10-nobodys.yaml': 'user: bob:staff\n' });
  const result = await build(
    ['-t', 'oci', '-o', 'nobodys', '--docker-target', 'a:b', 'tiny', 'nobodys'],
    { DOCKER_HOST: docker.host },
  );
  assert.equal(result.status, 0, result.stderr);
  const said = result.stdout + result.stderr;
  assert.match(said, /Warning: The user 'bob' is not in the image's \/etc\/passwd: a container/);
  assert.match(said, /Warning: Nothing is loaded into Docker .*-t docker/);
});

test('openEuler without vm is a container: no kernel, no boot loader, no idle timeout', async () => {
  await using mirror = await openMirror();
  assertDone(
    await build(['-t', 'docker', '-o', 'openeuler', 'openeuler'], {
      // Whose own image ends idle shells.
      DIB_RELEASE: '22.03-LTS',
      DIB_DISTRIBUTION_MIRROR: mirror.url,
    }),
  );
  docker.run(['load', '--input', out('openeuler.docker')]);
  // What it runs by itself is a shell.
  docker.run(['run', '--rm', '--network', 'none', 'openeuler']);
  assert.equal(inContainer('openeuler', NO_MACHINE), '');
  assert.equal(
    inContainer('openeuler', 'echo "[$TMOUT]"; cat /etc/fstab 2>/dev/null; true'),
    '[]\n',
  );
  const packages = inContainer('openeuler', 'rpm -qa --queryformat "%{NAME}\\n"').split('\n');
  assert.ok(packages.includes('openEuler-latest-release'), packages.join(' '));
  const machine = ['kernel', 'grub2-pc', 'dracut', 'NetworkManager', 'chrony', 'kbd'];
  assert.deepEqual(
    machine.filter((name) => packages.includes(name)),
    [],
  );
});

const KERNELS = [
  ['debian-minimal/environment.d/10-debian-minimal.bash', 'DIB_DEBIAN_KERNEL', '1', '0'],
  [
    'ubuntu-common/environment.d/11-ubuntu-kernel.bash',
    'DIB_UBUNTU_KERNEL',
    'linux-image-generic',
    '',
  ],
] as const;

test('Debian and Ubuntu leave the kernel out where nothing but containers is made', () => {
  for (const [file, variable, machine, container] of KERNELS) {
    const kernel = (env: Record<string, string>): string => {
      const script = `set -eu; . "$1"; printf %s "$${variable}"`;
      const argv = ['bash', '-c', script, 'bash', path.join(ELEMENTS, file)] as const;
      const given = Object.entries(env).map(([name, value]) => `${name}=${value}`);
      return output(['env', '-i', 'PATH=/usr/bin:/bin', ...given, ...argv]);
    };
    assert.equal(kernel({ DIB_CONTAINER_BUILD: '0' }), machine);
    assert.equal(kernel({ DIB_CONTAINER_BUILD: '1' }), container);
    assert.equal(kernel({ DIB_CONTAINER_BUILD: '1', [variable]: 'own' }), 'own');
  }
});

test('hooks are told that nothing but containers is made', async () => {
  await rig.element('asks', {
    'root.d/90-asks': hook('echo "containers only: $DIB_CONTAINER_BUILD"; exit 1'),
  });
  for (const [types, only] of [
    ['oci,docker', 1],
    ['docker,tar', 0],
  ] as const) {
    const { stdout } = await build(['-t', types, '-o', 'asks', 'tiny', 'asks']);
    assert.match(stdout, new RegExp(`containers only: ${only}$`, 'm'));
  }
});

test('a mistake in container.d is told with file and line before anything is built', async () => {
  const dir = await rig.element('typo', {
    'container.d/10-typo.yaml': 'user: app\nenviroment: {A: b}\nworkdir: here\n',
  });
  const result = await build(['-t', 'docker', '-o', 'typo', 'tiny', 'typo']);
  assert.equal(result.status, 2, result.stderr);
  const file = path.join(dir, 'container.d/10-typo.yaml');
  assert.ok(result.stderr.includes(`${file}:2`), result.stderr);
  assert.match(result.stderr, /Unknown key "enviroment"/);
  assert.match(
    result.stderr,
    /10-typo\.yaml:3:\d+: Key "workdir" is "here", expected an absolute path/,
  );
});

test('files of one name are merged in the order of the elements, and are no hooks', async () => {
  await rig.element('first', {
    'container.d/10-same.yaml': 'env: {LEVEL: 1, FIRST: x}\nentrypoint: [/a]\ncmd: [b]\n',
  });
  await rig.element('second', {
    'element-deps': 'first\n',
    'container.d/10-same.yaml': 'env: {LEVEL: 2}\nentrypoint: [/c]\n',
    'container.d/05-earlier.yaml': 'env: {LEVEL: 3, SECOND: y}\n',
  });
  const args = ['plan', '--json', '-n', '-t', 'oci', '-o', 'dir/My_Image', 'second', 'tiny'];
  const result = await rig.run('dibkit', args);
  assertDone(result);
  const { container, phases } = JSON.parse(result.stdout);
  assert.deepEqual(container, {
    name: 'my-image:latest',
    env: { LEVEL: '2', FIRST: 'x', SECOND: 'y' },
    entrypoint: ['/c'],
  });
  assert.doesNotMatch(JSON.stringify(phases), /container\.d/);
});
