/** The thread of one engine. It loads the engine with the first job and then runs job after job. */
import { parentPort, workerData } from 'node:worker_threads';
import { LocalEngineError } from './errors.ts';
import type { Answer, EngineName, Jobs, LoadEngine, Report, Results } from './messages.ts';

if (parentPort === null) throw new Error('worker runs as a worker thread');
const port = parentPort;
const { engine } = workerData as { engine: EngineName };

const loaders: { [E in EngineName]: () => Promise<LoadEngine<E>> } = {
  embeddings: async () => (await import('./embeddings/use-lite.ts')).load,
  speech: async () => (await import('./speech/flite.ts')).load,
  transcription: async () => (await import('./transcription/pocketsphinx.ts')).load,
  images: async () => (await import('./canvas/draw.ts')).load,
  videos: async () => (await import('./motion/animate.ts')).load,
};

type Run = (job: Jobs[EngineName], report: Report) => Promise<Results[EngineName]>;
let loaded: Promise<Run> | null = null;

const missing = new Set(['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND', 'ENOENT']);

async function load(): Promise<Run> {
  try {
    return (await (
      await loaders[engine]()
    )()) as Run;
  } catch (error) {
    if (!missing.has((error as { code?: string }).code ?? '')) throw error;
    throw new LocalEngineError(
      'not_installed',
      `the packages of the ${engine} engine are missing: npm install @indoxhub/local`,
    );
  }
}

function failureOf(error: unknown): NonNullable<Answer<EngineName>['failure']> {
  if (error instanceof LocalEngineError) {
    const { code, message, field } = error;
    return { code, message, field, fatal: code === 'not_installed' };
  }
  const reason = error instanceof Error ? error.message : String(error);
  return { code: 'engine_failed', message: `the engine broke: ${reason}`, field: null, fatal: true };
}

async function answer({ id, job }: { id: number; job: Jobs[EngineName] }): Promise<void> {
  try {
    loaded ??= load();
    const result = await (
      await loaded
    )(job, (progress) => port.postMessage({ id, progress } satisfies Answer<EngineName>));
    port.postMessage({ id, result } satisfies Answer<EngineName>);
  } catch (error) {
    port.postMessage({ id, failure: failureOf(error) } satisfies Answer<EngineName>);
  }
}

// The main thread sends the next job only after the answer: nothing here runs twice at a time.
port.on('message', (message: { id: number; job: Jobs[EngineName] }) => void answer(message));
