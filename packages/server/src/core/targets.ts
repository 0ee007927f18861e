/**
 * The health of targets: a circuit per target, so that a vendor that is down is asked less and less, and one budget for
 * retries, so that trouble upstream is never multiplied by us.
 */
const windowMs = 2_000;
const openAfter = 5;
const firstOpenMs = 1_000;
const maxOpenMs = 30_000;
/** Retries may be at most this share of calls, after a small float for quiet times. */
const retryShare = 0.2;
const retryFloat = 10;

export type CircuitState = 'closed' | 'open' | 'half_open';

interface Circuit {
  windowStart: number;
  failures: number;
  successes: number;
  openedAt: number;
  openMs: number;
  probing: boolean;
  /** The vendor said not to come back before. */
  coolUntil: number;
}

export interface Targets {
  /** May the target be tried now? Takes the probe's place when the circuit is half open. */
  admits(target: string): boolean;
  succeeded(target: string): void;
  /** `retryAfterMs`: how long the vendor asked to be left alone. */
  failed(target: string, retryAfterMs: number | null): void;
  /** The attempt said nothing about the target's health (the caller's own mistake, or it went away). */
  released(target: string): void;
  /** Milliseconds until one of these may be tried, 0 when one may now. */
  waitMs(targets: readonly string[]): number;
  countCall(): void;
  /** Takes one retry out of the budget. */
  takeRetry(): boolean;
  states(): ReadonlyMap<string, CircuitState>;
}

export function createTargets(now: () => number = () => performance.now()): Targets {
  const circuits = new Map<string, Circuit>();
  let retries = retryFloat;

  const circuitOf = (target: string): Circuit => {
    let circuit = circuits.get(target);
    if (circuit === undefined) {
      circuit = {
        windowStart: now(),
        failures: 0,
        successes: 0,
        openedAt: -1,
        openMs: firstOpenMs,
        probing: false,
        coolUntil: 0,
      };
      // Names come from configuration and callers' models: bounded.
      if (circuits.size >= 2_000) circuits.delete(circuits.keys().next().value ?? '');
      circuits.set(target, circuit);
    }
    return circuit;
  };

  const stateOf = (circuit: Circuit): CircuitState => {
    if (circuit.openedAt < 0) return 'closed';
    return now() - circuit.openedAt < circuit.openMs ? 'open' : 'half_open';
  };

  const slide = (circuit: Circuit): void => {
    if (now() - circuit.windowStart < windowMs) return;
    circuit.windowStart = now();
    circuit.failures = 0;
    circuit.successes = 0;
  };

  return {
    admits(target) {
      const circuit = circuits.get(target);
      if (circuit === undefined) return true;
      if (circuit.coolUntil > now()) return false;
      const state = stateOf(circuit);
      if (state === 'closed') return true;
      if (state === 'open' || circuit.probing) return false;
      circuit.probing = true;
      return true;
    },
    succeeded(target) {
      const circuit = circuits.get(target);
      if (circuit === undefined) return;
      slide(circuit);
      circuit.successes++;
      circuit.openedAt = -1;
      circuit.openMs = firstOpenMs;
      circuit.probing = false;
      circuit.coolUntil = 0;
    },
    failed(target, retryAfterMs) {
      const circuit = circuitOf(target);
      slide(circuit);
      circuit.failures++;
      if (retryAfterMs !== null) circuit.coolUntil = Math.max(circuit.coolUntil, now() + Math.min(retryAfterMs, 3_600_000));
      if (circuit.probing) {
        circuit.probing = false;
        circuit.openedAt = now();
        circuit.openMs = Math.min(circuit.openMs * 2, maxOpenMs);
      } else if (circuit.openedAt < 0 && circuit.failures >= openAfter && circuit.failures > circuit.successes) {
        circuit.openedAt = now();
      }
    },
    released(target) {
      const circuit = circuits.get(target);
      if (circuit !== undefined) circuit.probing = false;
    },
    waitMs(targets) {
      let least = Infinity;
      for (const target of targets) {
        const circuit = circuits.get(target);
        if (circuit === undefined) return 0;
        const open = circuit.openedAt < 0 ? 0 : circuit.openedAt + circuit.openMs - now();
        least = Math.min(least, Math.max(0, open, circuit.coolUntil - now()));
      }
      return Number.isFinite(least) ? Math.ceil(least) : 0;
    },
    countCall() {
      retries = Math.min(retryFloat, retries + retryShare);
    },
    takeRetry() {
      if (retries < 1) return false;
      retries -= 1;
      return true;
    },
    states: () => new Map([...circuits].map(([target, circuit]) => [target, stateOf(circuit)])),
  };
}
