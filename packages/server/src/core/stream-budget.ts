/**
 * Money of a running stream: asks for more before the hold is used up, stops the reading while it waits for an answer
 * that it cannot do without, and keeps the checkpoint the sweep would charge.
 */
import { GatewayError } from '../contract/errors.ts';
import type { Plan } from './call-types.ts';
import { countedUsage } from './count.ts';
import type { Gateway } from './gateway.ts';
import { costOf, worstCase } from './pricing.ts';

/** Careful side of the average of four: the hold must not be smaller than what the vendor will count. */
const fewestCharsPerToken = 3;

export interface StreamControl {
  pause(): void;
  resume(): void;
  /** No money is left for what comes next. */
  exhausted(): void;
}

export class StreamBudget {
  private readonly gateway: Gateway;
  private readonly plan: Plan;
  private readonly control: StreamControl;
  private heldNano: bigint;
  /** Characters at which more is asked for, and at which reading stops until it came. */
  private askAt = Infinity;
  private stopAt = Infinity;
  private chars = 0;
  private asking = false;
  private checkpointed = 0;
  /** Reading is stopped until the ledger answers. */
  waiting = false;

  constructor(gateway: Gateway, plan: Plan, control: StreamControl) {
    this.gateway = gateway;
    this.plan = plan;
    this.control = control;
    this.heldNano = plan.admission.heldNano;
    if (plan.admission.extendable) this.setMarks();
  }

  /** `chars`: delivered so far, all choices. */
  delivered(chars: number): void {
    this.chars = chars;
    if (chars < this.askAt) return;
    if (!this.asking) void this.ask();
    if (chars >= this.stopAt && !this.waiting && this.asking) {
      this.waiting = true;
      this.control.pause();
    }
  }

  /** Tells the ledger what was delivered, so that a crash charges that. */
  checkpoint(): void {
    if (this.chars === this.checkpointed || this.asking) return;
    this.checkpointed = this.chars;
    const operation = {
      op: 'extend',
      id: this.plan.identity.requestId,
      addNano: 0n,
      leastNano: 0n,
      spentNano: this.spent(),
    } as const;
    this.gateway.ledger.run(operation).catch(() => {});
  }

  private spent(): bigint {
    const book = this.plan.resolved.prices;
    if (book === null || this.plan.request.byokKey !== null) return 0n;
    return costOf(countedUsage(this.plan.input, this.chars), book);
  }

  private setMarks(): void {
    const { resolved, input } = this.plan;
    const book = resolved.prices;
    if (book === null) return;
    const inputNano = worstCase({ inputTokens: input.bound, outputTokens: 0, media: input.audio }, book);
    const million = worstCase({ inputTokens: 0, outputTokens: 1_000_000, media: false }, book);
    const left = this.heldNano - inputNano;
    const tokens = million === 0n ? Infinity : Number((left * 1_000_000n) / million);
    this.stopAt = Math.max(1, tokens * fewestCharsPerToken);
    this.askAt = this.stopAt * 0.6;
  }

  private async ask(): Promise<void> {
    const { worstNano, ceilingNano } = this.plan.admission;
    const most = ceilingNano ?? worstNano ?? this.heldNano;
    const room = most - this.heldNano;
    if (room <= 0n) {
      // The whole worst case is held: the vendor's own bound ends the stream, unless the caller's max_cost is nearer.
      this.askAt = ceilingNano !== null && this.chars < this.stopAt ? this.stopAt : Infinity;
      if (ceilingNano !== null && this.chars >= this.stopAt) this.control.exhausted();
      return;
    }
    this.asking = true;
    const addNano = room < this.heldNano ? room : this.heldNano;
    const leastNano = addNano / 16n + 1n;
    try {
      const operation = {
        op: 'extend',
        id: this.plan.identity.requestId,
        addNano,
        leastNano,
        spentNano: this.spent(),
      } as const;
      const result = await this.gateway.ledger.run(operation);
      this.heldNano += result.addedNano;
      if (result.status === 'extended') this.setMarks();
      else this.refused();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.refused();
    } finally {
      this.asking = false;
      this.goOn();
    }
  }

  /** What is held may still be used up; then the stream ends. */
  private refused(): void {
    if (this.chars >= this.stopAt) this.control.exhausted();
    else this.askAt = Math.min(this.stopAt, this.chars + (this.stopAt - this.chars) / 2 + 1);
  }

  private goOn(): void {
    if (!this.waiting) return;
    this.waiting = false;
    this.control.resume();
  }
}
