/** Where images go. Pure. */
import path from 'node:path';
import type { BuildPlan } from './build-plan.ts';

/** The directory of the image's name, absolute. */
export function outputDirectory({ image }: BuildPlan): string {
  return path.dirname(path.resolve(image.cwd, image.name));
}
