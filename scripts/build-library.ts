/**
 * Builds a library's dist/: ESM and declarations by `tsc -b`, CommonJS by rolldown with the same declarations beside it.
 * `npm run build -w packages/client`, or `node scripts/build-library.ts <package> <folder>` to build elsewhere.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { rolldown } from 'rolldown';

const home = resolve(process.argv[2] ?? '.');
const dist = resolve(process.argv[3] ?? join(home, 'dist'));
const esm = join(dist, 'esm');
const cjs = join(dist, 'cjs');
rmSync(dist, { recursive: true, force: true });
mkdirSync(cjs, { recursive: true });

// tsc's own file, run by this Node.js: the one on the path may be another.
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
const config = join(dist, 'tsconfig.json');
writeFileSync(
  config,
  JSON.stringify({
    extends: join(home, 'tsconfig.build.json'),
    compilerOptions: {
      rootDir: join(home, 'src'),
      outDir: esm,
      tsBuildInfoFile: join(dist, 'tsconfig.tsbuildinfo'),
    },
    include: [join(home, 'src')],
  }),
);
execFileSync(process.execPath, [tsc, '-b', config], { stdio: 'inherit' });
rmSync(config);
rmSync(join(dist, 'tsconfig.tsbuildinfo'));

const bundle = await rolldown({
  input: join(esm, 'index.js'),
  platform: 'neutral',
  tsconfig: false,
  external: /^[^./]/,
});
await bundle.write({ file: join(cjs, 'index.js'), format: 'cjs', exports: 'named', minify: false });
await bundle.close();
for (const name of readdirSync(esm, { recursive: true, encoding: 'utf8' }))
  if (name.endsWith('.d.ts')) cpSync(join(esm, name), join(cjs, name));
writeFileSync(join(cjs, 'package.json'), '{ "type": "commonjs" }\n');
