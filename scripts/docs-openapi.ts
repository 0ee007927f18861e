/**
 * Writes docs/openapi.json, the description the gateway serves at /openapi.json: `node scripts/docs-openapi.ts`. With
 * `--check` it only says whether the file is current.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { openapiDocument } from '../packages/server/src/http/openapi.ts';

const file = new URL('../docs/openapi.json', import.meta.url);
const manifest = new URL('../packages/server/package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };

const wanted = `${JSON.stringify(openapiDocument(version), null, 1)}\n`;

if (process.argv.includes('--check')) {
  const isCurrent = readFileSync(file, 'utf8') === wanted;
  process.exitCode = isCurrent ? 0 : 1;
  process.stdout.write(isCurrent ? 'docs/openapi.json is current\n' : 'docs/openapi.json is out of date\n');
} else {
  writeFileSync(file, wanted);
}
