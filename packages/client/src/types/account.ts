/** Models and usage, as they travel. */

export type Capability = 'chat' | 'completion' | 'embedding' | 'vision' | 'image' | 'tts' | 'stt' | 'video';

export interface Model {
  /** Without the provider. */
  readonly id: string;
  readonly modelName: string;
  readonly name: string;
  readonly provider: string;
  readonly type: string;
  readonly capabilities: readonly Capability[];
  readonly description: string;
  /** The context window (an old name); the output limit is `specs.output_tokens`. */
  readonly max_tokens: number | null;
  readonly context_window: number | null;
  readonly specs: {
    readonly context_window: number | null;
    readonly output_tokens: number | null;
    readonly dimensions: number | null;
  };
  /** US dollars per thousand tokens; null: unknown. */
  readonly pricing: {
    readonly input: number;
    readonly output: number;
    readonly cache_read?: number;
    readonly cache_write?: number;
    readonly currency: 'USD';
    readonly unit: '1K tokens';
  } | null;
  /** May be called with your own key. */
  readonly byok: boolean;
  readonly status: 'available' | 'preview' | 'deprecated';
  /** Its provider is configured or was found on the gateway's machine. */
  readonly available: boolean;
  readonly metadata: {
    readonly input_modalities: readonly string[];
    readonly output_modalities: readonly string[];
    readonly reasoning: boolean | null;
    readonly tools: boolean | null;
    readonly structured_output: boolean | null;
    readonly released: string | null;
    readonly aliases?: readonly string[];
    readonly source?: string;
    readonly checked?: string | null;
    readonly configured?: true;
  };
}

export interface Provider {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly capabilities: readonly Capability[];
  readonly available: boolean;
  readonly byok: boolean;
  readonly models: readonly Model[];
  readonly text_completions: readonly Model[];
  readonly embeddings: readonly Model[];
  readonly image_generation: readonly Model[];
  readonly text_to_speech: readonly Model[];
  readonly speech_to_text: readonly Model[];
  readonly video_generation: readonly Model[];
  readonly metadata: { readonly vendor: string; readonly source?: string; readonly checked?: string };
}

export interface TrendingParams {
  /** UTC days, today included: 1 to 90, without it 7. */
  days?: number;
  /** 1 to 100, without it 10. */
  limit?: number;
}

export interface TrendingModel {
  readonly rank: number;
  readonly provider: string;
  readonly model: string;
  /** `provider/model` */
  readonly id: string;
  readonly name: string;
  readonly total_requests: number;
  readonly total_tokens: number;
  /** Of everything in the period, 0 to 1. */
  readonly share: { readonly requests: number; readonly tokens: number };
  /** Growth against as many days before; null where there was nothing. */
  readonly change: { readonly requests: number | null; readonly tokens: number | null };
}

export interface UsageParams {
  /** UTC day `YYYY-MM-DD`, included. */
  start_date?: string;
  /** UTC day `YYYY-MM-DD`, included. */
  end_date?: string;
}

export interface UsageTokens {
  readonly input: number;
  readonly output: number;
  readonly total: number;
}
export interface UsagePart {
  readonly requests: number;
  /** US dollars. */
  readonly cost: number;
  readonly tokens: UsageTokens;
}
export interface UsageReport {
  readonly total_requests: number;
  readonly total_cost: number;
  /** US dollars; null for an account without a cap. */
  readonly remaining_credits: number | null;
  readonly total_tokens: UsageTokens;
  readonly endpoints: Readonly<Record<string, UsagePart>>;
  readonly providers: Readonly<Record<string, UsagePart>>;
  /** By `provider/model`. */
  readonly models: Readonly<
    Record<string, { readonly provider: string; readonly model: string } & UsagePart>
  >;
  /** Newest first; days without a call are left out. */
  readonly daily_usage: readonly ({ readonly date: string } & UsagePart)[];
}
