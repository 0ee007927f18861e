#!/usr/bin/env node
// Old syntax only: on an old Node this file must still parse, to say in a sentence what is wrong.
import { existsSync } from 'fs';
import * as nodeModule from 'module';

var major = Number(process.versions.node.split('.')[0]);

if (major < 24) {
  process.stderr.write(
    'indoxhub needs Node.js 24 or newer; this is ' +
      process.versions.node +
      '. See https://nodejs.org/en/download\n',
  );
  process.exitCode = 1;
} else {
  // Compiled code is kept between starts: a second start is faster, and from sources 40 MB smaller.
  var cache = nodeModule.enableCompileCache();
  // Worker threads look for it here.
  if (cache.directory && !process.env.NODE_COMPILE_CACHE) process.env.NODE_COMPILE_CACHE = cache.directory;
  // A clone runs from its sources; the published package has the build only.
  var source = new URL('../src/cli/main.ts', import.meta.url);
  void import(existsSync(source) ? source.href : new URL('../dist/cli/main.js', import.meta.url).href);
}
