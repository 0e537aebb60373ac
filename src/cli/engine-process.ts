/** The process of a build's engine, in its namespaces: started, told what to do by `build-image.ts`, gone. */
import path from 'node:path';
import type { BuildPlan } from '../plan/build-plan.ts';
import { outputDirectory } from '../plan/output-directory.ts';
import { findTool, toolPath } from '../sandbox/host-tools.ts';
import { type Contained, type Privilege, startContained } from '../sandbox/namespace.ts';
import { neededPrivilege } from '../sandbox/user-namespace.ts';
import { nameWorkDir } from '../sandbox/work-dir.ts';
import { toolEnvironment } from './host-facts.ts';
import { packageRoot } from './package-paths.ts';

/** Where a build works; the directories are made later. */
export interface EnginePlaces {
  readonly buildDir: string;
  readonly imageDir: string;
  readonly staging: string;
}

export interface EngineHost {
  readonly env: Readonly<Record<string, string>>;
  readonly privilege: Privilege;
}

/**
 * Where and as whom a build runs. Opened before anything else of it is loaded or found out: to start, the
 * engine's process takes longer than that. Disposed, the engine is gone.
 */
export class BuildSite implements AsyncDisposable {
  readonly places: EnginePlaces;
  readonly host: EngineHost;
  #engine: EngineProcess | undefined;

  constructor(plan: BuildPlan) {
    this.places = placesOf(plan);
    this.host = {
      env: toolEnvironment(toolPath(plan.environment.PATH)),
      privilege: neededPrivilege(),
    };
    if (mayStartEarly(this.host)) {
      this.engine();
    }
  }

  /** The engine, started now if it has not been. */
  engine(): EngineProcess {
    this.#engine ??= new EngineProcess(this.places, this.host);
    return this.#engine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine?.[Symbol.asyncDispose]();
  }
}

function placesOf(plan: BuildPlan): EnginePlaces {
  const { tmpDir } = plan.work;
  return {
    buildDir: nameWorkDir({ parent: tmpDir, prefix: 'dib_build.' }),
    imageDir: nameWorkDir({ parent: tmpDir, prefix: 'dib_image.' }),
    // Hidden beside the images: they are complete before they get their names.
    staging: nameWorkDir({
      parent: outputDirectory(plan),
      prefix: `.${path.basename(plan.image.name)}.dib-`,
    }),
  };
}

/**
 * Whether the engine can be started before it is known what to build, and whether all of it can be built here:
 * nothing is lacking that it would complain of on our terminal.
 */
function mayStartEarly({ env, privilege }: EngineHost): boolean {
  const searchPath = env.PATH ?? '';
  return (
    privilege === 'root' &&
    ['setpriv', 'unshare', 'sh'].every((tool) => findTool(tool, searchPath) !== undefined)
  );
}

/** Waits for its order as soon as it runs. Disposed, it is gone, with all that it has started and mounted. */
export class EngineProcess implements AsyncDisposable {
  readonly argv: readonly string[];
  readonly contained: Contained;
  #ended = false;

  constructor({ buildDir, imageDir, staging }: EnginePlaces, host: EngineHost) {
    const script = path.join(packageRoot, 'lib/program/start-engine.cjs');
    // It does not read them: `dibkit enter` finds the build by them, and `dibkit clean` spares them.
    this.argv = [process.execPath, script, buildDir, imageDir, staging];
    this.contained = startContained(this.argv, host);
    void this.contained.exit.then(() => {
      this.#ended = true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) {
      this.contained.kill();
      await this.contained.exit;
    }
  }
}
