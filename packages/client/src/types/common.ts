/** What every call sends and every answer carries. Names are those of the wire. */

/** Any other member: sent on to the provider, or read from an answer the client does not know yet. */
export interface MoreFields {
  [name: string]: unknown;
}

/** Fields every call of a model takes, beside its own. */
export interface GatewayFields {
  /** The provider, where `model` has no slash. */
  provider?: string | null;
  /** Anything else, merged into the parameters. */
  additional_params?: Record<string, unknown> | null;
  /** Your own key at the provider: used for this call, never stored. Wins over the client's `byokApiKey`. */
  byok_api_key?: string | null;
  /** The most this call may cost, in US dollars. */
  max_cost?: number | string | null;
  /** Kept on the usage row. */
  session_id?: string | null;
}

/** Parts of `cost`, in US dollars. */
export interface CostBreakdown {
  input_tokens: number | null;
  output_tokens: number | null;
  cache_read: number | null;
  cache_write: number | null;
  reasoning: number | null;
  web_search: number | null;
  request: number | null;
}

export interface Usage {
  tokens_prompt: number;
  tokens_completion: number;
  tokens_total: number;
  /** US dollars; null when the price of the model is unknown. */
  cost: number | null;
  /** Milliseconds. */
  latency: number;
  timestamp: string;
  cache_read_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  web_search_count: number;
  request_count: number;
  cost_breakdown: CostBreakdown | null;
  /** The provider gave no usage, so the gateway counted. */
  estimated?: boolean;
}

/** Around the `data` of every answer of a model. */
export interface Envelope<Data> {
  /** The id of the call, equal to the header `X-Request-ID`. */
  request_id: string;
  /** ISO 8601. */
  created_at: string;
  duration_ms: number;
  provider: string;
  /** Without the provider. */
  model: string;
  success: boolean;
  message: string;
  usage: Usage;
  /** The provider's own body, when `include_raw` asked for it. */
  raw_response: Record<string, unknown> | null;
  data: Data;
  /** Your own key paid. */
  byok_api_key: boolean;
}
