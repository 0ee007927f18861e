/** What a bundle of a package weighs: rolldown, minified, everything the entry uses. */
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

export interface Weight {
  readonly minified: number;
  readonly gzip: number;
}

/** `input` is a file that imports what an application would. */
export async function weigh(input: string): Promise<Weight> {
  const bundle = await rolldown({ input, platform: 'node', logLevel: 'silent' });
  try {
    const { output } = await bundle.generate({ format: 'esm', minify: true, codeSplitting: false });
    const code = output.map((chunk) => (chunk.type === 'chunk' ? chunk.code : '')).join('');
    return { minified: Buffer.byteLength(code), gzip: gzipSync(code, { level: 9 }).length };
  } finally {
    await bundle.close();
  }
}
