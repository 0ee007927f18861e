/** A provider that draws, in the wires of several vendors. Its pictures are one pixel. */
import type { Script } from '../upstream.ts';

export const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

export const drawing: Script = (call, response) => {
  const json = (body: object): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const origin = `http://${call.headers.host ?? ''}`;
  if (call.path === '/result.png')
    return void response.writeHead(200, { 'content-type': 'image/png' }).end(png);
  const { n = 1, model, response_format: format, prompt } = call.body;
  const status = /\[status (\d+)\]/.exec(String(prompt))?.[1];
  if (status !== undefined) {
    response.writeHead(Number(status), { 'content-type': 'application/json' });
    return void response.end(JSON.stringify({ error: { message: `The vendor says ${status}` } }));
  }
  const isGpt = String(model).startsWith('gpt-image') || call.path.startsWith('/v1/images/edits');
  const data = Array.from({ length: Number(n) }, () =>
    isGpt || format === 'b64_json'
      ? { b64_json: png.toString('base64') }
      : { url: `${origin}/result.png`, revised_prompt: 'A better prompt' },
  );
  const usage = {
    input_tokens: 20,
    input_tokens_details: { text_tokens: 8, image_tokens: 12 },
    output_tokens: 1_056,
    total_tokens: 1_076,
  };
  json({
    created: 1,
    data,
    ...(isGpt ? { size: '1024x1024', quality: 'medium', output_format: 'png', usage } : {}),
  });
};
