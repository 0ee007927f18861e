/** Starts ledger-process.ts. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Outcome, Task } from './ledger-process.ts';

const script = fileURLToPath(new URL('./ledger-process.ts', import.meta.url));

export interface LedgerProcess {
  readonly child: ChildProcess;
  /** Its one line. */
  readonly outcome: Promise<Outcome & { error?: string; away?: boolean }>;
  /** Ends it without a chance to tidy up. */
  kill(): Promise<void>;
}

export function startLedgerProcess(task: Task): LedgerProcess {
  const child = spawn(process.execPath, [script, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const line = once(createInterface({ input: child.stdout }), 'line');
  return {
    child,
    outcome: Promise.race([
      line.then(([text]) => JSON.parse(String(text)) as Outcome),
      exited.then(([code]) => {
        throw new Error(`the process ended with ${String(code)} and said nothing`);
      }),
    ]),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
