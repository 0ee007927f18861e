import { expect, test } from 'vitest';
import { createStreams, type StoppableStream } from './streams.ts';

function fake(id: string, accountId = 'a', alias: string | null = null) {
  const done: string[] = [];
  const stream: StoppableStream = {
    id,
    accountId,
    alias,
    slot: 0,
    stop: () => done.push('stop') > 0,
    shutDown: () => void done.push('shutDown'),
  };
  return { stream, done };
}

test('calls that end in any order leave the others findable', () => {
  const streams = createStreams();
  const calls = Array.from({ length: 6 }, (_, at) => fake(`call-${at}`));
  for (const { stream } of calls) streams.add(stream);
  const order = [2, 5, 0, 3];
  for (const at of order) {
    const call = calls[at];
    if (call !== undefined) streams.remove(call.stream);
  }
  expect(streams.size).toBe(2);
  expect(calls.map(({ stream }) => streams.stop('a', stream.id))).toEqual([
    null,
    true,
    null,
    null,
    true,
    null,
  ]);
});

test('removing a call twice, or one never added, takes away no other', () => {
  const streams = createStreams();
  const [first, second, stranger] = [fake('first'), fake('second'), fake('stranger')];
  streams.add(first.stream);
  streams.add(second.stream);
  streams.remove(stranger.stream);
  streams.remove(first.stream);
  streams.remove(first.stream);
  expect(streams.size).toBe(1);
  expect(streams.stopById('second')).toBe(true);
});

test('a stream answers to its id and its alias, for its own account only', () => {
  const streams = createStreams();
  const { stream } = fake('id', 'mine', 'name');
  streams.add(stream);
  expect(streams.stop('mine', 'name')).toBe(true);
  expect(streams.stop('other', 'name')).toBe(null);
  expect(streams.stop('other', 'id')).toBe(null);
  streams.remove(stream);
  expect(streams.stop('mine', 'name')).toBe(null);
});

test('shutting down reaches all that run, also those that end by it, and those that come later', () => {
  const streams = createStreams();
  const calls = [fake('a'), fake('b'), fake('c')];
  for (const { stream, done } of calls) {
    stream.shutDown = () => {
      done.push('down');
      streams.remove(stream);
    };
    streams.add(stream);
  }
  streams.shutDown();
  expect(streams.size).toBe(0);
  const late = fake('late');
  streams.add(late.stream);
  expect(calls.map(({ done }) => done)).toEqual([['down'], ['down'], ['down']]);
  expect(late.done).toEqual(['shutDown']);
});
