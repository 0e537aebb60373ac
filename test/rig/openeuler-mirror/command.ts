/** By hand: `node --import tsx test/rig/openeuler-mirror/command.ts [PORT]`. */
import { openMirror } from './mirror.ts';

const mirror = await openMirror({ port: Number(process.argv[2] ?? 0) });
process.stdout.write(`${mirror.dir}\n${mirror.url}\n`);
