/**
 * How hooks learn which elements the image has. Source: element_dependencies.py, `main` (compat).
 *
 * An `IMAGE_ELEMENT` that the user has set counts for nothing: upstream puts it in front of the list
 * by accident.
 */
import { yamlMap } from '../plan/yaml-map.ts';

interface NamedPath {
  readonly name: string;
  readonly path: string;
}

/**
 * Environment entries for host hooks: `IMAGE_ELEMENT`, `IMAGE_ELEMENT_YAML`, and the bash function
 * `get_image_element_array` as bash exports functions. Source: bash(1), `export -f`.
 */
export function elementVariables(elements: readonly NamedPath[]): Record<string, string> {
  return {
    IMAGE_ELEMENT: imageElement(elements),
    IMAGE_ELEMENT_YAML: imageElementYaml(elements),
    'BASH_FUNC_get_image_element_array%%': `() { ${arrayFunctionBody(elements)}; }`,
  };
}

/**
 * `ELEMENTS_PATH` as hooks are to see it: without its last entry, the built-in elements, when the image has
 * none of them. Upstream's helpers merge the files of every directory that has an element's name
 * (package-installs.yaml), so an element that hides ours would get ours too.
 */
export function elementsPathForHooks(
  elementsPath: readonly string[],
  elements: readonly NamedPath[],
): readonly string[] {
  const last = elementsPath.at(-1);
  const isUsed = elements.some(({ path }) => path.startsWith(`${last}/`));
  return isUsed ? elementsPath : elementsPath.slice(0, -1);
}

/** Bash text that defines and exports the same; for `element-info --env`. */
export function elementShellText(elements: readonly NamedPath[]): string {
  return [
    `IMAGE_ELEMENT=${shellQuote(imageElement(elements))}`,
    `IMAGE_ELEMENT_YAML=${shellQuote(imageElementYaml(elements))}`,
    'export IMAGE_ELEMENT IMAGE_ELEMENT_YAML',
    `function get_image_element_array { ${arrayFunctionBody(elements)}; }`,
    'export -f get_image_element_array',
    '',
  ].join('\n');
}

/** The names in order, separated by spaces. */
function imageElement(elements: readonly NamedPath[]): string {
  return elements.map(({ name }) => name).join(' ');
}

/** A YAML map from name to path, one line each, sorted by name. */
function imageElementYaml(elements: readonly NamedPath[]): string {
  const sorted = [...elements].sort((a, b) => (a.name < b.name ? -1 : 1));
  return yamlMap(sorted.map(({ name, path }) => [name, path]));
}

/**
 * Prints `[name]=/path ` pairs. Elements say `eval declare -A x=($(get_image_element_array))`: the
 * text is split into words and then read as shell, so it must hold no other space than between pairs.
 */
function arrayFunctionBody(elements: readonly NamedPath[]): string {
  const pairs = elements.map(({ name, path }) => `[${spaceless(name)}]=${spaceless(path)} `);
  return `printf '%s\\n' ${shellQuote(pairs.join(''))}`;
}

/** A shell word without spaces or glob characters. Source: bash(1), ANSI-C quoting. */
function spaceless(text: string): string {
  if (/^[\w./@+-]*$/.test(text)) {
    return text;
  }
  const bytes = [...new TextEncoder().encode(text)];
  return `$'${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}'`;
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
