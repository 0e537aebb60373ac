/** `dibkit fetch` by itself: of many that want one file most only wait for it, and are to take little meanwhile. */
import { fetchCommand } from './fetch.ts';
import { runCommand } from './main.ts';

void runCommand(() => fetchCommand(process.argv.slice(3)));
