/** YAML for small maps of texts, without the library: to load that takes longer than all else here. Pure. */

/** Words that YAML 1.1 readers, Python's among them, take for a boolean or null. */
const YAML_WORDS = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

/** A block map, one line each, in this order. */
export function yamlMap(entries: readonly (readonly [key: string, value: string])[]): string {
  return entries.map(([key, value]) => `${yamlText(key)}: ${yamlText(value)}\n`).join('');
}

/** Names and paths as they are, all else in quotes. Source: YAML 1.2, 10.2: what JSON quotes is a YAML text. */
function yamlText(text: string): string {
  const isName = /^[A-Za-z_][\w.-]*$/.test(text) && !YAML_WORDS.test(text);
  return isName || /^\/[\w./@+-]*$/.test(text) ? text : JSON.stringify(text);
}
