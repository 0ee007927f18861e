/** A provider that embeds. */
import type { Script } from '../upstream.ts';

/** A vector that tells its text: its length, and its place among all texts seen. */
export const vectorOf = (text: unknown, length: number): number[] =>
  Array.from({ length }, (_, at) => (at === 0 ? String(text).length : 0.125 * at));

/** Little-endian float32. */
export const base64Floats = (vector: number[]): string => {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [at, value] of vector.entries()) bytes.writeFloatLE(value, at * 4);
  return bytes.toString('base64');
};

/** Embeds as OpenAI does, the rows in any order. */
export const embedding: Script = (call, response) => {
  const { input, encoding_format: format, dimensions, output_dimension: own } = call.body;
  const texts = Array.isArray(input) && typeof input[0] !== 'number' ? (input as unknown[]) : [input];
  const data = texts.map((text, index) => {
    const vector = vectorOf(text, Number(dimensions ?? own ?? 4));
    return { object: 'embedding', index, embedding: format === 'base64' ? base64Floats(vector) : vector };
  });
  const usage = { prompt_tokens: texts.length * 3, total_tokens: texts.length * 3 };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ object: 'list', data: data.toReversed(), model: 'm', usage }));
};
