/** `dibkit plan`: the whole build as text or JSON. */
import { outlineOf, renderOutline } from '../phases/render-plan.ts';
import { prepareFromArgv } from './prepare-command.ts';

export async function plan(argv: readonly string[]): Promise<number> {
  const json = argv.includes('--json');
  const preparation = await prepareFromArgv(argv.filter((word) => word !== '--json'));
  if (preparation === undefined) {
    return 0;
  }
  const outline = outlineOf(preparation);
  const text = json ? JSON.stringify(outline, null, 2) : renderOutline(outline).join('\n');
  process.stdout.write(`${text}\n`);
  return 0;
}
