/** A package as npm would publish it, built in a copy so that no dist is left in the clone. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';

const root = join(import.meta.dirname, '../../..');

/** Packs `packages/<name>` into `folder`; the path of the tarball. */
export function pack(name: string, folder: string): string {
  const home = join(root, 'packages', name);
  const copy = join(folder, 'clone/packages', name);
  mkdirSync(copy, { recursive: true });
  for (const file of ['tsconfig.base.json', 'LICENSE', 'scripts/build-library.ts'])
    cpSync(join(root, file), join(folder, 'clone', file));
  symlinkSync(join(root, 'node_modules'), join(folder, 'clone/node_modules'));
  const skip = new Set(['dist', 'test', 'node_modules']);
  cpSync(home, copy, {
    recursive: true,
    filter: (path) => dirname(path) !== home || !skip.has(basename(path)),
  });
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: copy, encoding: 'utf8' });
  return join(folder, readdirSync(folder).find((each) => each.endsWith('.tgz')) ?? '');
}

/** Runs a file of a dev dependency on this Node.js; what it printed. */
export function runTool(name: string, file: string, words: readonly string[], cwd: string): string {
  const path = join(root, 'node_modules', name, file);
  return execFileSync(process.execPath, [path, ...words], { cwd, encoding: 'utf8' });
}
