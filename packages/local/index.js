// A clone runs from its sources; the published package has the build only.
import { existsSync } from 'node:fs';

const source = new URL('./src/index.ts', import.meta.url);
const built = new URL('./dist/index.js', import.meta.url);
export const { createLocalEngines, LocalEngineError } = await import(
  existsSync(source) ? source.href : built.href
);
