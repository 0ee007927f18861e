// Reads a JSON report of vitest: names what was skipped, then prints `passed failed skipped`.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
let passed = 0;
let failed = 0;
let skipped = 0;
for (const file of report.testResults) {
  // A file that could not be loaded has failed, though it has no test.
  if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')) failed++;
  for (const { status, fullName } of file.assertionResults) {
    if (status === 'passed') passed++;
    else if (status === 'failed') failed++;
    else {
      skipped++;
      process.stdout.write(`skipped: ${relative(process.cwd(), file.name)}: ${fullName}\n`);
    }
  }
}
process.stdout.write(`${passed} ${failed} ${skipped}\n`);
