/** What the layers of a build, and of each of its phases, follow from. */
import type { HookTree } from '../elements/hook-tree.ts';
import type { ResolvedElement } from '../elements/resolve.ts';
import type { Beside } from '../layers/beside.ts';
import type { LayerChain } from '../layers/chain.ts';
import type { EnvironmentRequest } from './environment.ts';
import type { Fingerprint } from './fingerprints.ts';
import type { BuildInputs } from './phase-inputs.ts';
import type { Phase, PhaseName } from './table.ts';

export interface LayerSetup {
  readonly chain: LayerChain;
  readonly build: BuildInputs;
  readonly runPaths: ReadonlyMap<string, string>;
  readonly beside: Beside;
  /** Where hooks in the target have their copy of the hook tree mounted. */
  readonly hooksCopy: string;
  readonly elements: readonly ResolvedElement[];
  readonly tree: Pick<HookTree, 'elementOf'>;
  /** The first phase that runs anew, whatever there is. */
  readonly from?: PhaseName;
}

export interface PhaseEntry {
  readonly phase: Phase;
  /** That the phase would run, in order. */
  readonly hooks: readonly string[];
  readonly environment: EnvironmentRequest;
  /** What the engine puts into the tree before the phase. */
  readonly engine: Readonly<Record<string, string>>;
  /** How many hooks are done when the build first stops in this phase; absent when it does not. */
  readonly beforeStop?: number | undefined;
  /** What `fingerprint.d` says, where it has been asked already. */
  readonly asked?: Promise<Fingerprint>;
}
