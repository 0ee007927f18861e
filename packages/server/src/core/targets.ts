/**
 * The health of targets: a circuit per target, so that a vendor that is down is asked less and less, and one budget for
 * retries, so that trouble upstream is never multiplied by us.
 */
const windowMs = 2_000;
const openAfter = 5;
const firstOpenMs = 1_000;
const maxOpenMs = 30_000;
const maxCoolMs = 3_600_000;
const maxCircuits = 2_000;
/** Retries may be at most this share of calls, after a small float for quiet times. */
const retryShare = 0.2;
const retryFloat = 10;
/** Calls in flight when a target goes down move to another one together: they do not fall on the one that failed. */
const failoverFloat = 100;

export type CircuitState = 'closed' | 'open' | 'half_open';

/** One target's recent past. */
class Circuit {
  private readonly now: () => number;
  private windowStart: number;
  private failures = 0;
  private successes = 0;
  /** Failures since the last success, however long they took: a target seldom called is found out too. */
  private streak = 0;
  private openedAt: number | null = null;
  private openMs = firstOpenMs;
  private probing = false;
  /** The vendor said not to come back before. */
  private coolUntil = 0;

  constructor(now: () => number) {
    this.now = now;
    this.windowStart = now();
  }

  get state(): CircuitState {
    if (this.openedAt === null) return 'closed';
    return this.now() - this.openedAt < this.openMs ? 'open' : 'half_open';
  }

  get waitMs(): number {
    const now = this.now();
    const open = this.openedAt === null ? 0 : this.openedAt + this.openMs - now;
    return Math.max(0, open, this.coolUntil - now);
  }

  admits(): boolean {
    if (this.coolUntil > this.now()) return false;
    const { state } = this;
    if (state === 'closed') return true;
    if (state === 'open' || this.probing) return false;
    this.probing = true;
    return true;
  }

  succeeded(): void {
    this.slide();
    this.successes++;
    this.streak = 0;
    this.openedAt = null;
    this.openMs = firstOpenMs;
    this.probing = false;
    this.coolUntil = 0;
  }

  failed(retryAfterMs: number | null): void {
    this.slide();
    this.failures++;
    this.streak++;
    const now = this.now();
    if (retryAfterMs !== null)
      this.coolUntil = Math.max(this.coolUntil, now + Math.min(retryAfterMs, maxCoolMs));
    if (this.probing) {
      this.probing = false;
      this.openedAt = now;
      this.openMs = Math.min(this.openMs * 2, maxOpenMs);
    } else if (this.openedAt === null && (this.streak >= openAfter || this.isMostlyFailing)) {
      this.openedAt = now;
    }
  }

  released(): void {
    this.probing = false;
  }

  private get isMostlyFailing(): boolean {
    return this.failures >= openAfter && this.failures > this.successes;
  }

  private slide(): void {
    if (this.now() - this.windowStart < windowMs) return;
    this.windowStart = this.now();
    this.failures = 0;
    this.successes = 0;
  }
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
  /** Takes one retry out of the budget of those at the same target, or of those that move to another. */
  takeRetry(to: 'same' | 'other'): boolean;
  states(): ReadonlyMap<string, CircuitState>;
}

export function createTargets(now: () => number = () => performance.now()): Targets {
  const circuits = new Map<string, Circuit>();
  const left = { same: retryFloat, other: failoverFloat };

  const circuitOf = (target: string): Circuit => {
    let circuit = circuits.get(target);
    if (circuit === undefined) {
      circuit = new Circuit(now);
      // Names come from configuration and callers' models: bounded.
      if (circuits.size >= maxCircuits) circuits.delete(circuits.keys().next().value ?? '');
      circuits.set(target, circuit);
    }
    return circuit;
  };

  return {
    admits: (target) => circuits.get(target)?.admits() ?? true,
    succeeded: (target) => circuits.get(target)?.succeeded(),
    failed: (target, retryAfterMs) => circuitOf(target).failed(retryAfterMs),
    released: (target) => circuits.get(target)?.released(),
    waitMs: (targets) => Math.ceil(Math.min(...targets.map((target) => circuits.get(target)?.waitMs ?? 0))),
    countCall() {
      left.same = Math.min(retryFloat, left.same + retryShare);
      left.other = Math.min(failoverFloat, left.other + retryShare);
    },
    takeRetry(to) {
      if (left[to] < 1) return false;
      left[to] -= 1;
      return true;
    },
    states: () => new Map([...circuits].map(([target, circuit]) => [target, circuit.state])),
  };
}

/**
 * For calls under a caller's own key: what becomes of them says nothing about the gateway's targets, and what became of
 * the gateway's own calls is no reason to refuse them. Retries still come out of the one budget.
 */
export function unjudged(targets: Targets): Targets {
  return {
    admits: () => true,
    succeeded: () => {},
    failed: () => {},
    released: () => {},
    waitMs: () => 0,
    countCall: () => targets.countCall(),
    takeRetry: (to) => targets.takeRetry(to),
    states: () => targets.states(),
  };
}
