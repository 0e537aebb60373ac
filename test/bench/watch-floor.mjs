/**
 * The least that the work of a watch pass takes in plain JavaScript, as programs:
 *
 *     metadata FILE.gz LIST          a SAX parser on the unpacked file; the list of names, versions, addresses
 *     difference CURRENT HISTORY TARGET   Sets of lines; the new ones are appended to the history
 */
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { SaxesParser } from 'saxes';

const [what, ...files] = process.argv.slice(2);
await { metadata, difference }[what](...files);

async function metadata(file, list) {
  const parser = new SaxesParser();
  const lines = [];
  let depth = 0;
  let text = '';
  let current = {};
  parser.on('opentag', ({ name, attributes }) => {
    depth += 1;
    text = '';
    if (depth === 2) {
      current = {};
    } else if (depth === 3 && name === 'version') {
      current.version = attributes.ver;
    } else if (depth === 3 && name === 'location') {
      current.href = attributes.href;
    }
  });
  parser.on('text', (more) => {
    text += more;
  });
  parser.on('closetag', ({ name }) => {
    if (depth === 3 && name === 'name') {
      current.name = text;
    } else if (depth === 2) {
      lines.push(`${current.href} ${current.name} ${current.version}`);
    }
    depth -= 1;
  });
  const unpacked = createReadStream(file).pipe(createGunzip({ chunkSize: 1 << 18 }));
  unpacked.setEncoding('utf8');
  for await (const chunk of unpacked) {
    parser.write(chunk);
  }
  parser.close();
  writeFileSync(list, `${lines.join('\n')}\n`);
}

function difference(current, history, target) {
  const known = readFileSync(history, 'utf8');
  const seen = new Set(known.split('\n'));
  const names = new Set(
    readFileSync(target, 'utf8')
      .split('\n')
      .map((line) => line.slice(line.indexOf(' ') + 1)),
  );
  const fresh = readFileSync(current, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !seen.has(line))
    .filter((line) => !names.has(line.slice(line.indexOf(' ') + 1)));
  writeFileSync(`${history}.out`, `${known}${fresh.join('\n')}\n`);
}
