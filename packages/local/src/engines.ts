import type { LocalEngines, LocalEnginesOptions } from './contract.ts';
import { localModels } from './models.ts';
import { EnginePool, type PoolOptions } from './pool.ts';
import { drawingJob, embeddingsJob, motionJob, speechJob, transcriptionJob } from './requests.ts';

/**
 * Engines that cost nothing until they are used: a thread starts, and reads its model, with the first call of its
 * kind.
 *
 * @example
 * const engines = createLocalEngines();
 * const { vectors } = await engines.embed(['How do I pay?', 'Where is my invoice?']);
 * const { audio } = await engines.speak({ text: 'Good morning.', voice: 'slt', format: 'mp3' });
 * await engines.close();
 */
export function createLocalEngines(options: LocalEnginesOptions = {}): LocalEngines {
  const { threads = 1, queueLimit = 32, limitMs = 120_000, idleMs = 300_000 } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > 16)
    throw new RangeError('threads must be a whole number from 1 to 16');
  const pool: PoolOptions = { threads, queueLimit, limitMs, idleMs, graceMs: 1_000 };
  const embeddings = new EnginePool('embeddings', pool);
  const speech = new EnginePool('speech', pool);
  const transcription = new EnginePool('transcription', pool);
  const images = new EnginePool('images', pool);
  // Films take long: their thread is stopped at once when nobody wants them any more, and may run longer.
  const videos = new EnginePool('videos', { ...pool, limitMs: limitMs * 5, graceMs: 0 });

  return {
    models: localModels(),
    embed: async (texts, signal) => await embeddings.run(embeddingsJob(texts), signal),
    speak: async (request, signal) => await speech.run(speechJob(request), signal),
    transcribe: async (request, signal) => await transcription.run(transcriptionJob(request), signal),
    draw: async (request, signal) => await images.run(drawingJob(request), signal),
    animate: async (request, signal, onProgress) => await videos.run(motionJob(request), signal, onProgress),
    close: async () => {
      await Promise.all([embeddings, speech, transcription, images, videos].map((each) => each.close()));
    },
  };
}
