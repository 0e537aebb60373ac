/** `node file-server.mjs FILE NAME`: serves one file and its SHA256SUMS, in a process of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(import.meta.url);

/** Starts such a process: `url`, `downloads()` how often the file was asked for, `stop()`. */
export async function startServer(file, name) {
  const child = spawn(process.execPath, [PROGRAM, file, name], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [{ url }] = await once(child, 'message');
  return {
    url,
    downloads: async () => {
      child.send('downloads');
      return (await once(child, 'message'))[0].downloads;
    },
    stop: () => child.kill(),
  };
}

function serve(file, name) {
  const { stdout } = spawnSync('sha256sum', [file], { encoding: 'utf8' });
  const sums = `${stdout.slice(0, 64)} *${name}\n`;
  const { size } = statSync(file);
  let downloads = 0;
  const server = createServer((request, response) => {
    if (request.url === '/SHA256SUMS') {
      const current = request.headers['if-none-match'] === '"1"';
      response.writeHead(current ? 304 : 200, { etag: '"1"' }).end(current ? '' : sums);
      return;
    }
    downloads += 1;
    response.writeHead(200, { 'content-length': size, etag: '"1"' });
    createReadStream(file, { highWaterMark: 1 << 20 }).pipe(response);
  });
  server.listen(0, '127.0.0.1', () => {
    process.send({ url: `http://127.0.0.1:${server.address().port}` });
  });
  process.on('message', () => process.send({ downloads }));
}

if (process.argv[1] === PROGRAM) {
  serve(process.argv[2], process.argv[3]);
}
