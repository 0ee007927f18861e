/** The file that npm links as `indoxhub`. */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const bin = fileURLToPath(new URL('../../bin/indoxhub.js', import.meta.url));

it('runs the command line, from a clone too', () => {
  const { status, stdout } = spawnSync(process.execPath, [bin, '--version'], { encoding: 'utf8' });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+/);
  expect(status).toBe(0);
});

it('hands the exit code on', () => {
  expect(spawnSync(process.execPath, [bin, 'no-such-command']).status).toBe(2);
});

it('is executable', () => {
  expect(statSync(bin).mode & 0o111).toBe(0o111);
});

it('says in a sentence that Node.js is too old', () => {
  const pretend = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.11.0'}})`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', pretend, bin], {
    encoding: 'utf8',
  });
  expect(stderr).toBe(
    'indoxhub needs Node.js 24 or newer; this is 20.11.0. See https://nodejs.org/en/download\n',
  );
  expect([status, stdout]).toEqual([1, '']);
});
