/** A provider that writes speech down, as OpenAI does: by the prompt it can be told to do otherwise. */
import type { Script, SeenCall } from '../upstream.ts';

/** The parts of a form as they arrived. */
export function partsOf(
  call: SeenCall,
): { name: string; fileName: string | null; type: string | null; body: Buffer }[] {
  const boundary = /boundary=([^;]+)/.exec(call.headers['content-type'] ?? '')?.[1] ?? '';
  const text = call.bytes.toString('latin1');
  return text
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => {
      const end = part.indexOf('\r\n\r\n');
      const head = part.slice(0, end);
      return {
        name: /name="([^"]*)"/.exec(head)?.[1] ?? '',
        fileName: /filename="([^"]*)"/.exec(head)?.[1] ?? null,
        type: /content-type: (.*)/i.exec(head)?.[1] ?? null,
        body: Buffer.from(part.slice(end + 4, -2), 'latin1'),
      };
    });
}

export const fieldsOf = (call: SeenCall): [string, string][] =>
  partsOf(call)
    .filter(({ fileName }) => fileName === null)
    .map(({ name, body }) => [name, body.toString('utf8')]);

const segments = [
  {
    id: 0,
    seek: 0,
    start: 0,
    end: 1.5,
    text: ' Hello there.',
    tokens: [1],
    temperature: 0,
    avg_logprob: -0.1,
  },
  {
    id: 1,
    seek: 0,
    start: 2.25,
    end: 3.04,
    text: ' General Kenobi.',
    tokens: [2],
    temperature: 0,
    avg_logprob: -0.2,
  },
];
const words = [
  { word: 'Hello', start: 0, end: 0.7 },
  { word: 'there', start: 0.8, end: 1.5 },
  { word: 'General', start: 2.25, end: 2.6 },
  { word: 'Kenobi', start: 2.6, end: 3.04 },
];

export const transcribing: Script = (call, response) => {
  const fields = new Map(fieldsOf(call));
  const json = (status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const status = /\[status (\d+)\]/.exec(fields.get('prompt') ?? '')?.[1];
  if (status !== undefined) return json(Number(status), { error: { message: `The vendor says ${status}` } });
  if (fields.get('prompt') === '[nothing]') return json(200, {});
  const text = 'Hello there. General Kenobi.';
  if (fields.get('model')?.startsWith('gpt-4o') === true) {
    const usage = {
      type: 'tokens',
      input_tokens: 60,
      input_token_details: { text_tokens: 10, audio_tokens: 50 },
      output_tokens: 12,
      total_tokens: 72,
    };
    return json(200, { text, usage });
  }
  if (fields.get('response_format') !== 'verbose_json') return json(200, { text });
  const asked = fieldsOf(call).some(([name, value]) => name.startsWith('timestamp') && value === 'word');
  return json(200, {
    task: 'transcribe',
    language: 'english',
    duration: 3.05,
    text,
    segments,
    ...(asked ? { words } : {}),
  });
};

/** Silence as a WAV file: 8 kHz, 16 bit, mono. */
export function wavOf(seconds: number): Buffer {
  const data = Buffer.alloc(Math.round(seconds * 8_000) * 2);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8_000, 24);
  head.writeUInt32LE(16_000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}
