/** All checks of an element that need no other program. */
import { checkElement, type ElementRules, type LintElement } from './element-checks.ts';
import { disabledChecks, type Finding } from './finding.ts';
import { SCRIPT_CHECKS } from './script-checks.ts';
import { TEXT_CHECKS } from './text-checks.ts';

/** The findings of an element, sorted by path and line; what a file has switched off is left out. */
export function lintElement(element: LintElement, rules: ElementRules): readonly Finding[] {
  const found = [
    ...checkElement(element, rules),
    ...element.files.flatMap((file) =>
      [...SCRIPT_CHECKS, ...TEXT_CHECKS].flatMap((check) => check(file)),
    ),
  ];
  return withoutDisabled(element, found);
}

/** The findings that are left when every file's own exceptions are taken away, sorted. */
export function withoutDisabled(
  { files }: LintElement,
  findings: readonly Finding[],
): readonly Finding[] {
  const disabled = new Map(files.map(({ path, text }) => [path, disabledChecks(text)]));
  return findings
    .filter(({ path, check }) => !(disabled.get(path) ?? []).includes(check))
    .toSorted(byPlace);
}

function byPlace(a: Finding, b: Finding): number {
  if (a.path !== b.path) {
    return a.path < b.path ? -1 : 1;
  }
  return (a.line ?? 0) - (b.line ?? 0);
}
