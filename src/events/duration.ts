/** Durations and sizes as people read them. */

/** `0.4 s`, `38.2 s`, `2 min 05 s`, `1 h 02 min`: for something that has ended. */
export function renderDuration(durationMs: number): string {
  const tenths = Math.round(durationMs / 100);
  if (tenths < 600) {
    return `${(tenths / 10).toFixed(1)} s`;
  }
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`;
  }
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

/** `0:05`, `12:40`, `1:02:09`: for something that still runs. */
export function renderElapsed(elapsedMs: number): string {
  const seconds = Math.max(0, Math.floor(elapsedMs / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const tail = `:${twoDigits(seconds % 60)}`;
  return hours > 0 ? `${hours}:${twoDigits(minutes)}${tail}` : `${minutes}${tail}`;
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'];

/** `812 B`, `1.5 KiB`, `412 MiB`: three digits, binary units. */
export function renderSize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 'B';
  for (const next of UNITS) {
    if (value < 1000) {
      break;
    }
    value /= 1024;
    unit = next;
  }
  const digits = unit === 'B' || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
