/** What the kernel knows: run time of a process's threads, its memory, and which cores it may use. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';

export interface CpuTime {
  /** Microseconds that threads of the process ran. */
  readonly ranUs: number;
  /** Microseconds that they were ready to run and had to wait for the core. */
  readonly waitedUs: number;
}

/** Summed over all threads of the process, its workers and the garbage collector's included. Linux only. */
export function cpuTime(pid: number): CpuTime {
  let ranUs = 0;
  let waitedUs = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [ran = 0, waited = 0] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')
        .split(' ')
        .map(Number);
      ranUs += ran / 1000;
      waitedUs += waited / 1000;
    } catch {
      // A thread that ended between the two calls.
    }
  }
  return { ranUs, waitedUs };
}

/** Resident memory in MB. */
export function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

/** Whether programs can be pinned: Linux, `taskset` and two cores. */
export function canPin(): boolean {
  if (cpus().length < 2 || availableParallelism() < 2) return false;
  try {
    execFileSync('taskset', ['-p', String(process.pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Puts all threads of this process on one core; its children inherit it. */
export function pinSelf(core: number): void {
  execFileSync('taskset', ['-a', '-p', '-c', String(core), String(process.pid)], { stdio: 'ignore' });
}

export function load(): string {
  return loadavg()
    .map((each) => each.toFixed(1))
    .join(' ');
}
