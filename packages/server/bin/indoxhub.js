#!/usr/bin/env node
// Old syntax only: on an old Node this file must still parse, to say in a sentence what is wrong.
import { existsSync } from 'fs';

var major = Number(process.versions.node.split('.')[0]);

if (major < 24) {
  process.stderr.write(
    'indoxhub needs Node.js 24 or newer; this is ' + process.versions.node + '. See https://nodejs.org/en/download\n'
  );
  process.exitCode = 1;
} else {
  // A clone has sources and no build; the published package has the build only.
  var built = new URL('../dist/cli/main.js', import.meta.url);
  void import(existsSync(built) ? built.href : new URL('../src/cli/main.ts', import.meta.url).href);
}
