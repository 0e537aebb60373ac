/**
 * The date of an image: no time stamp in it is later. Seconds since 1970.
 *
 * Source: the specification of SOURCE_DATE_EPOCH, https://reproducible-builds.org/specs/source-date-epoch/
 */

/**
 * The day on which this version was made. An image is not older than the program that made it, so
 * this is its date when nothing newer with a date went into it. Raised with every release.
 */
export const ENGINE_DATE: number = Date.UTC(2026, 0, 1) / 1000;

/** A date as a variable or a file holds it; undefined when it is none. */
export function parseSourceDate(text: string): number | undefined {
  const trimmed = text.trim();
  // Twelve digits are enough for the next thirty thousand years.
  return /^\d{1,12}$/.test(trimmed) ? Number(trimmed) : undefined;
}
