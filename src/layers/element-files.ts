/** Files in elements' own folders, which hooks may read beside the hook tree. Pure. */

/** Words that a text has to have for its hook to go through the elements' folders. */
const ELEMENT_WORDS = ['IMAGE_ELEMENT', 'get_image_element_array', 'ELEMENTS_PATH'] as const;

/** Whether hooks that say this may go through the elements' folders. */
export function readsElements(isNamed: (word: string) => boolean): boolean {
  return ELEMENT_WORDS.some(isNamed);
}

/**
 * Whether a text that goes through the elements' folders may go into theirs of this name: it says
 * `$element/static`, `${elements[$name]}/static` or `'static'`, and not `/static` or `static_text`.
 */
export function goesInto(text: string, folder: string): boolean {
  const name = folder.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(
    `(?:\\}|\\$\\w+)["']?/["']?${name}(?![\\w.-])|["'\`]${name}(?=["'\`/])`,
  );
  return readsElements((word) => text.includes(word)) && pattern.test(text);
}

/**
 * Those of `files` (`element/path`) that count for a phase that has read these texts: what lies directly
 * in elements where one of them goes through the elements, and in a folder where one goes into it.
 */
export function countedElementFiles(
  files: Readonly<Record<string, string>>,
  texts: readonly string[],
): Readonly<Record<string, string>> {
  const going = texts.filter((text) => readsElements((word) => text.includes(word)));
  const folders = new Map<string, boolean>();
  const counts = (folder: string): boolean => {
    const known = folders.get(folder) ?? going.some((text) => goesInto(text, folder));
    folders.set(folder, known);
    return known;
  };
  return going.length === 0
    ? {}
    : Object.fromEntries(
        Object.entries(files).filter(([name]) => {
          const [, folder = '', inside] = name.split('/', 3);
          return inside === undefined || counts(folder);
        }),
      );
}
