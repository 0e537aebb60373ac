/** `dibkit extract` by itself, so that it starts sooner. */
import { extract } from './extract.ts';
import { runCommand } from './main.ts';

void runCommand(() => extract(process.argv.slice(3)));
