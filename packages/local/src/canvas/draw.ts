/** A picture drawn by code: a scene of SVG from the prompt, rendered by resvg (WebAssembly) with a font of its own. */
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { initWasm, Resvg } from '@resvg/resvg-wasm';
import type { LoadEngine } from '../messages.ts';
import { withText } from './png-text.ts';
import { scene } from './scene.ts';

export const load: LoadEngine<'images'> = async () => {
  const require = createRequire(import.meta.url);
  await initWasm(await readFile(require.resolve('@resvg/resvg-wasm/index_bg.wasm')));
  const font = await readFile(require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf'));

  return async (job) => {
    const resvg = new Resvg(scene(job), {
      font: { fontBuffers: [font], defaultFontFamily: 'DejaVu Sans', sansSerifFamily: 'DejaVu Sans' },
    });
    const rendered = resvg.render();
    try {
      const png = withText(rendered.asPng(), {
        Software: 'IndoxHub local/canvas',
        Comment: 'Procedural picture: drawn by code from the words of the prompt, not by an AI model',
      });
      return { png, width: job.width, height: job.height, procedural: true };
    } finally {
      rendered.free();
      resvg.free();
    }
  };
};
