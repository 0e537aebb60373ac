/** What the service says: as events, and with times in `log_crontab_task`. */
import { appendFileSync, existsSync, renameSync, statSync } from 'node:fs';
import type { Emit } from '../events/event.ts';
import { redact } from '../events/redact.ts';
import { redactSecrets } from './submit-output.ts';

const LONGEST_LOG = 10 << 20;

export interface TaskLog {
  info(text: string): void;
  warn(text: string): void;
}

/**
 * Says on `emit` and appends to `file`; without a file, on `emit` only. A log that becomes too long is
 * continued in a new one; the one before is kept as `FILE.1`. A log that cannot be written stops nothing.
 */
export function openTaskLog(emit: Emit, now: () => Date, file?: string): TaskLog {
  const say = (level: 'info' | 'warning', text: string): void => {
    const clean = redactSecrets(redact(text));
    emit({ kind: 'message', level, text: clean });
    if (file !== undefined) {
      append(file, `${now().toISOString()} ${level === 'info' ? '[log]' : '[warn]'} ${clean}\n`);
    }
  };
  return {
    info: (text) => say('info', text),
    warn: (text) => say('warning', text),
  };
}

function append(file: string, line: string): void {
  try {
    if (existsSync(file) && statSync(file).size > LONGEST_LOG) {
      renameSync(file, `${file}.1`);
    }
    appendFileSync(file, line);
  } catch {
    // A full disk, above all: what is more important than this line has its own place and says so.
  }
}
