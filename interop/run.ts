/**
 * Runs other people's clients, and our own, unmodified, against a running gateway and prints what passed as one table:
 * `npm run interop [python]`. Exit code 1 when a check failed. The last line counts: `N passed, N failed, N skipped`.
 */
import process from 'node:process';
import { openaiCompatible, openaiProvider, ourProvider } from './ai-sdk.ts';
import { openScene, runSuite, table, type Row } from './checks.ts';
import { indoxhubClient } from './indoxhub-client.ts';
import { openaiNpm } from './openai-npm.ts';
import { runPython, skippedPython, withPython } from './python.ts';
import { continueDev, libreChat, openWebui } from './shapes.ts';

// The AI SDK's remarks on features a model has not.
(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;

const suites = [
  indoxhubClient,
  ourProvider,
  openaiNpm,
  openaiCompatible,
  openaiProvider,
  openWebui,
  libreChat,
  continueDev,
];
const scene = await openScene();
const rows: Row[] = [];
let books = 'the books balance';
try {
  for (const suite of suites) rows.push(await runSuite(suite, scene));
  rows.push(
    ...(await withPython(process.argv[2] ?? 'python3', async (made) => {
      if ('python' in made) return runPython(made.python, scene);
      console.log(`  skip the Python clients: ${made.problem}`);
      return skippedPython(made.problem);
    })),
  );
  await scene.gateway.verify().catch((error: unknown) => (books = String(error)));
} finally {
  await scene.close();
}
const all = rows.flatMap(({ outcomes }) => outcomes);
const isBalanced = books === 'the books balance';
const passed = all.filter((each) => each.passed).length + Number(isBalanced);
const failed = all.length + 1 - passed;
const skipped = rows.filter((row) => row.skipped !== undefined).length;
console.log(`\n${table(rows)}\n`);
console.log(
  '✓ n: all n checks passed. ✗ m/n: only m did. Empty: the client has no such thing, or it is not checked.',
);
console.log(`After all of it ${books}.`);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
