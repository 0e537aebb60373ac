/** The verbs of `migration-update` that need this package or a container runtime: none in the image. */
import type { Verb } from './verb.ts';

export const HOST_VERBS: Readonly<Record<string, Verb>> = {
  build: {
    description: 'build the container image of the service',
    run: async (argv) => (await import('./build.ts')).buildCommand(argv),
  },
  start: {
    description: 'start the service in a container, in the place of the last one',
    run: async (argv) => (await import('./start.ts')).startVerb(argv),
  },
  stop: {
    description: 'stop and remove the container',
    run: async (argv) => (await import('./stop.ts')).stopVerb(argv),
  },
  logs: {
    description: 'show what the container has said',
    run: async (argv) => (await import('./logs.ts')).logsVerb(argv),
  },
};
