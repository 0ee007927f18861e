/** A film drawn by code: frames of a moving landscape, encoded as H.264 by minih264 (WebAssembly). */
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { initWasm, Resvg } from '@resvg/resvg-wasm';
import encoders from 'h264-mp4-encoder';
import { caption, landscapeOf } from '../canvas/landscape.ts';
import type { Jobs, LoadEngine } from '../messages.ts';
import { settledMp4 } from './mp4.ts';
import { painterOf } from './painter.ts';

export const framesPerSecond = 24;

const said = {
  '©too': 'IndoxHub local/motion',
  '©cmt': 'Procedural film: drawn by code from the words of the prompt, not by an AI model',
};

export const load: LoadEngine<'videos'> = async () => {
  const require = createRequire(import.meta.url);
  await initWasm(await readFile(require.resolve('@resvg/resvg-wasm/index_bg.wasm')));
  const font = await readFile(require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf'));

  return async (job, report) => {
    const { width, height, seconds } = job;
    const frames = seconds * framesPerSecond;
    const paint = painterOf(job, lettering(job, font));
    const encoder = await encoders.createH264MP4Encoder();
    try {
      Object.assign(encoder, { width, height, frameRate: framesPerSecond, groupOfPictures: 48 });
      Object.assign(encoder, { quantizationParameter: 26, speed: 5 });
      encoder.initialize();
      const pixels = new Uint8Array(width * height * 4);
      for (let frame = 0; frame < frames; frame++) {
        paint(pixels, frame / framesPerSecond);
        encoder.addFrameRgba(pixels);
        report((frame + 1) / frames);
      }
      encoder.finalize();
      const mp4 = new Uint8Array(settledMp4(encoder.FS.readFile(encoder.outputFilename), said));
      encoder.FS.unlink(encoder.outputFilename);
      return { mp4, width, height, seconds, frames, procedural: true };
    } finally {
      encoder.delete();
    }
  };
};

function lettering(job: Jobs['videos'], font: Uint8Array): Uint8Array {
  const { prompt, width, height } = job;
  const text = caption(prompt, width, height, landscapeOf(job).light);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${text}</svg>`;
  const resvg = new Resvg(svg, {
    font: { fontBuffers: [font], defaultFontFamily: 'DejaVu Sans', sansSerifFamily: 'DejaVu Sans' },
  });
  const rendered = resvg.render();
  try {
    return new Uint8Array(rendered.pixels);
  } finally {
    rendered.free();
    resvg.free();
  }
}
