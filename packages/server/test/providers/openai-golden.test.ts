import { describe, expect, it } from 'vitest';
import { vendorById } from '../../src/providers/registry.ts';
import {
  cases,
  chatOf,
  decodeStream,
  expected,
  fixture,
  summaryOfAnswer,
  summaryOfEvents,
  targetOf,
  vendorIds,
} from './openai-fixtures.ts';
import { splitBytes } from './recorder.ts';

describe.each(vendorIds)('%s', (vendor) => {
  const codec = chatOf(vendor);

  it.each(cases)('reads the whole answer: %s', (name) => {
    const answer = codec.decodeAnswer(fixture(vendor, `${name}.json`), targetOf(vendor));
    expect(summaryOfAnswer(answer)).toEqual(expected(vendor, name));
  });

  it.each(cases)('reads the stream: %s', (name) => {
    const { events, ended } = decodeStream(codec, vendor, [fixture(vendor, `${name}.sse`)]);
    expect(ended).toBe(true);
    expect(events[0]?.type).toBe('start');
    expect(summaryOfEvents(events)).toEqual(expected(vendor, name));
  });

  it.each(cases)('reads the stream the same wherever it is cut: %s', (name) => {
    const bytes = fixture(vendor, `${name}.sse`);
    const whole = JSON.stringify(decodeStream(codec, vendor, [bytes]));
    expect(JSON.stringify(decodeStream(codec, vendor, splitBytes(bytes.toString('utf8'), 1)))).toBe(whole);
    const crlf = Buffer.from(bytes.toString('utf8').replaceAll('\n', '\r\n'));
    for (const source of name === 'text' ? [bytes, crlf] : [bytes]) {
      for (let at = 1; at < source.length; at++) {
        const cut = decodeStream(codec, vendor, [source.subarray(0, at), source.subarray(at)]);
        if (JSON.stringify(cut) !== whole) expect(JSON.stringify(cut), `cut at ${at}`).toBe(whole);
      }
    }
  });

  it('reports an error inside the stream after what came before it', () => {
    const { events, ended } = decodeStream(codec, vendor, [fixture(vendor, 'error.sse')]);
    expect(ended).toBe(false);
    expect(events.filter((event) => event.type === 'text')).toMatchObject([{ text: 'Hi' }]);
    const last = events.at(-1);
    expect(last).toMatchObject({ type: 'error' });
    expect(last?.type === 'error' && last.message.length > 10).toBe(true);
  });
});

describe('errors of vendors', () => {
  const read = (vendor: string, status: number): unknown =>
    chatOf(vendor).decodeError(status, fixture(vendor, 'error.json'));

  it('reads every shape of body', () => {
    expect(read('openai', 401)).toEqual({
      status: 401,
      code: 'invalid_api_key',
      message:
        'Incorrect API key provided: [redacted]. You can find your API key at https://platform.openai.com/account/api-keys.',
      param: null,
    });
    expect(read('mistral', 422)).toEqual({
      status: 422,
      code: 'invalid_request_error',
      message: 'Extra inputs are not permitted',
      param: 'messages[0].user.name',
    });
    expect(read('groq', 404)).toMatchObject({ code: 'model_not_found', param: null });
    expect(read('together', 400)).toMatchObject({ param: 'max_tokens', code: 'invalid_request_error' });
    expect(read('deepseek', 402)).toMatchObject({ message: 'Insufficient Balance' });
    expect(read('xai', 400)).toMatchObject({ code: 'Client specified an invalid argument' });
    expect(JSON.stringify(read('xai', 400))).not.toContain('xa***zz');
  });

  const decode = (text: string): unknown => chatOf('openai').decodeError(500, Buffer.from(text));
  const nothing = { status: 500, code: null, message: null, param: null };

  it('takes other shapes as they come', () => {
    expect(decode('{"detail":"Not Found"}')).toMatchObject({ message: 'Not Found' });
    expect(decode('{"message":"Forbidden","code":7}')).toMatchObject({ message: 'Forbidden', code: '7' });
    expect(decode('[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}]')).toMatchObject({
      status: 500,
      message: 'Quota',
    });
    expect(
      decode(
        '{"object":"error","message":"{\\"detail\\":[{\\"loc\\":[\\"body\\",\\"n\\"],\\"msg\\":\\"bad\\"}]}"}',
      ),
    ).toMatchObject({
      message: 'bad',
      param: 'n',
    });
    expect(decode('{"error":"the field key_not_found is odd"}')).toMatchObject({
      message: 'the field key_not_found is odd',
    });
    expect(decode('upstream connect error')).toMatchObject({ message: 'upstream connect error' });
    for (const text of ['', '<html><h1>502</h1></html>', '{"error":', '42', 'null', '[]', '{}']) {
      expect(decode(text)).toEqual(nothing);
    }
  });

  it('keeps keys out and sentences short', () => {
    const secret = 'sk-abcdefghijklmnop1234567890';
    const long = `Bad key ${secret} Bearer ${secret}\n\u0000 ${'x'.repeat(5000)}`;
    const failure = chatOf('openai').decodeError(401, Buffer.from(JSON.stringify({ error: long })));
    expect(failure.message).not.toContain('abcdef');
    expect(failure.message).not.toContain('\n');
    expect(failure.message?.length).toBeLessThanOrEqual(1000);
  });
});

describe('answers that are none', () => {
  const read = (body: string) => (): unknown =>
    chatOf('openai').decodeAnswer(Buffer.from(body), targetOf('openai'));
  const inspect = (body: string) => (): unknown =>
    chatOf('openai').relay?.inspect(Buffer.from(body), targetOf('openai'));

  it.each([
    '<html>ok</html>',
    '[]',
    '[{"choices":[]}]',
    '{"choices":[{"mess',
    '',
    'null',
    '7',
    '{}',
    '{"choices":{}}',
    '{"choices":[1]}',
  ])('upstream_malformed: %s', (body) => {
    expect(read(body)).toThrow(expect.objectContaining({ code: 'upstream_malformed' }));
    expect(inspect(body)).toThrow(expect.objectContaining({ code: 'upstream_malformed' }));
  });

  it('an error with status 200 is a failure, not an answer', () => {
    const body = '{"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}';
    const failure = expect.objectContaining({ code: 'upstream_error', message: 'insufficient balance' });
    expect(read(body)).toThrow(failure);
    expect(inspect(body)).toThrow(failure);
    expect(read('{"error":{"message":"no"}}')).toThrow(expect.objectContaining({ code: 'upstream_error' }));
  });

  it('a stream that is none is malformed, or the failure it reports', () => {
    for (const body of ['<html>', '  <!doctype html>', '[1]']) {
      expect(() => decodeStream(chatOf('openai'), 'openai', [Buffer.from(body)])).toThrow(
        expect.objectContaining({ code: 'upstream_malformed' }),
      );
    }
    const { events, ended } = decodeStream(
      chatOf('openai'),
      'openai',
      splitBytes('{"error":{"message":"busy","code":503}}', 5),
    );
    expect(ended).toBe(false);
    expect(events).toEqual([{ type: 'error', status: 503, code: '503', message: 'busy' }]);
    expect(() => decodeStream(chatOf('openai'), 'openai', [Buffer.from('data: {garbage\n\n')])).toThrow(
      expect.objectContaining({ code: 'upstream_malformed' }),
    );
    expect(() => decodeStream(chatOf('openai'), 'openai', [Buffer.from('data: [1]\n\n')])).toThrow(
      expect.objectContaining({ code: 'upstream_malformed' }),
    );
  });
});

describe('text completion', () => {
  const codec = vendorById('openai')?.completion;
  if (codec === undefined) throw new Error('no completion');

  it('reads answer and stream', () => {
    const answer = codec.decodeAnswer(fixture('openai', 'completion.json'), targetOf('openai'));
    const { events, ended } = decodeStream(codec, 'openai', [fixture('openai', 'completion.sse')]);
    expect(ended).toBe(true);
    expect(summaryOfAnswer(answer)).toMatchObject({ text: ['\n\nGrüße 🌍'], finish: ['length'] });
    expect(summaryOfEvents(events)).toEqual(summaryOfAnswer(answer));
  });
});
