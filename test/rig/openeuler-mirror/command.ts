/** By hand: `node --import tsx test/rig/openeuler-mirror/command.ts [PORT [BYTES-PER-SECOND]]`. */
import { openMirror } from './mirror.ts';

const [port = '0', bytesPerSecond] = process.argv.slice(2);
const mirror = await openMirror({
  port: Number(port),
  ...(bytesPerSecond === undefined ? {} : { bytesPerSecond: Number(bytesPerSecond) }),
});
process.stdout.write(`${mirror.dir}\n${mirror.url}\n`);
