/** A name that changes its mind between the check and the connection leads nowhere: what was checked is what is dialled. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
/** Namespaces want root, and a kernel that has them. */
const canSeparate = async (): Promise<boolean> => {
  if (process.getuid?.() !== 0) return false;
  return run('unshare', ['-n', '-m', 'ip', 'link', 'set', 'lo', 'up']).then(
    () => true,
    () => false,
  );
};

test.skipIf(!(await canSeparate()))('DNS rebinding', { timeout: 60_000 }, async () => {
  const script = join(import.meta.dirname, 'rebinding-child.ts');
  const { stdout } = await run('unshare', ['-n', '-m', process.execPath, script]);
  const seen = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, { codes: string[] }>;
  const [unreachable, refused] = ['bad_request', 'url_not_allowed'];
  // Each connection asks once. The first was to the public address, and is dialled there; the others are refused.
  expect(seen['rebind.test']).toEqual({
    codes: [unreachable, refused, refused],
    outside: 1,
    inside: 0,
    asked: 3,
  });
  expect(seen['back.test']).toEqual({
    codes: [refused, unreachable, unreachable],
    outside: 2,
    inside: 0,
    asked: 3,
  });
  expect(seen['mixed.test']).toEqual({ codes: [refused, refused, refused], outside: 0, inside: 0, asked: 3 });
  expect(seen['private.test']).toEqual({
    codes: [refused, refused, refused],
    outside: 0,
    inside: 0,
    asked: 3,
  });
  expect(seen['honest.test']).toEqual({
    codes: [unreachable, unreachable, unreachable],
    outside: 3,
    inside: 0,
    asked: 3,
  });
});
