/** Where OpenAI-speaking vendors differ from OpenAI, as data. A new vendor is one row here and one in the registry. */

/** Message members that our answers carry and callers send back; a strict vendor refuses the ones it does not know. */
export type ReplayedMember =
  | 'reasoning_content'
  | 'reasoning'
  | 'reasoning_details'
  | 'images'
  | 'extra_content';

export interface Quirks {
  /**
   * Field of the output bound in chat. `by-model`: `max_completion_tokens` for reasoning models, else the caller's own
   * spelling. Text completion always takes `max_tokens`.
   */
  readonly bound: 'max_tokens' | 'max_completion_tokens' | 'by-model';
  readonly seed: 'seed' | 'random_seed';
  /** Takes `stream_options.include_usage`; a vendor that does not sends usage unasked. */
  readonly streamOptions: boolean;
  /** The word that forces a tool call. */
  readonly toolChoice: 'required' | 'any';
  /** false: the vendor documents that it refuses `n` > 1. */
  readonly manyChoices: boolean;
  /** Knows the role `developer`; otherwise it is sent as `system`. */
  readonly developerRole: boolean;
  /** Hints a strict vendor refuses and whose absence changes no answer. Refused parameters that do change it travel. */
  readonly dropped: readonly string[];
  /** Members of earlier assistant messages the vendor takes back; the others are taken out. */
  readonly replays: readonly ReplayedMember[];
  /** Reasoning may come inside the text between think tags. */
  readonly thinkTags: boolean;
  /** `completion_tokens` does not contain `reasoning_tokens`. Only asked when `total_tokens` does not tell. */
  readonly reasoningApart: boolean;
  /** `citation_tokens` are billed as input on top of `prompt_tokens`. */
  readonly citationTokens: boolean;
  /** Does not fetch image URLs. */
  readonly inlineMedia: boolean;
  /** Speaks OpenAI's wire truly enough for its bytes to be handed to OpenAI's clients. */
  readonly relay: boolean;
  readonly chatPath: string;
  readonly completionPath: string;
  /** `api_version` of the options becomes the query `api-version`. */
  readonly apiVersion: boolean;
}

const everyReplay: readonly ReplayedMember[] = [
  'reasoning_content',
  'reasoning',
  'reasoning_details',
  'images',
  'extra_content',
];

/** What a vendor is taken to do when nothing else is known of it. */
export const plain: Quirks = {
  bound: 'max_tokens',
  seed: 'seed',
  streamOptions: true,
  toolChoice: 'required',
  manyChoices: true,
  developerRole: false,
  dropped: [],
  replays: ['reasoning_content', 'reasoning'],
  thinkTags: false,
  reasoningApart: false,
  citationTokens: false,
  inlineMedia: false,
  relay: true,
  chatPath: '/chat/completions',
  completionPath: '/completions',
  apiVersion: false,
};

const withQuirks = (some: Partial<Quirks>): Quirks => ({ ...plain, ...some });

const openai = withQuirks({ bound: 'by-model', developerRole: true, replays: [] });

/** Servers on one's own machine hand out reasoning inside the text unless started with a parser for it. */
const ownServer = withQuirks({ thinkTags: true, replays: everyReplay });

export const quirks = {
  openai,
  azure: { ...openai, apiVersion: true },
  deepseek: withQuirks({ replays: ['reasoning_content'], completionPath: '/beta/completions' }),
  xai: withQuirks({ reasoningApart: true, replays: ['reasoning_content'] }),
  groq: withQuirks({
    bound: 'max_completion_tokens',
    manyChoices: false,
    developerRole: true,
    replays: ['reasoning'],
  }),
  together: plain,
  fireworks: withQuirks({ replays: ['reasoning_content'] }),
  cerebras: withQuirks({ bound: 'max_completion_tokens', replays: ['reasoning'] }),
  perplexity: withQuirks({
    streamOptions: false,
    thinkTags: true,
    reasoningApart: true,
    citationTokens: true,
    replays: [],
  }),
  nvidia: withQuirks({ thinkTags: true, replays: ['reasoning_content'] }),
  qwen: withQuirks({ replays: ['reasoning_content'] }),
  moonshot: withQuirks({ inlineMedia: true, replays: ['reasoning_content'] }),
  zhipu: withQuirks({ replays: ['reasoning_content'] }),
  minimax: withQuirks({ thinkTags: true, replays: ['reasoning_content', 'reasoning_details'] }),
  openrouter: withQuirks({ developerRole: true, replays: everyReplay }),
  deepinfra: withQuirks({ replays: ['reasoning_content'] }),
  sambanova: withQuirks({ thinkTags: true, replays: [] }),
  huggingface: withQuirks({ thinkTags: true, replays: ['reasoning_content', 'reasoning'] }),
  /** Content may be a list of parts (`thinking`), so its bytes are not OpenAI's. */
  mistral: withQuirks({
    seed: 'random_seed',
    streamOptions: false,
    toolChoice: 'any',
    dropped: ['user', 'store'],
    replays: [],
    relay: false,
  }),
  cohere: withQuirks({ replays: [], chatPath: '/compatibility/v1/chat/completions' }),
  ownServer,
  /** Takes images as data only. */
  ownServerInline: { ...ownServer, inlineMedia: true },
  generic: ownServer,
  /** An adapter behind the codec: it gives one answer and rebuilds the messages itself. */
  adapter: withQuirks({ developerRole: true, manyChoices: false, replays: [] }),
  /** The vendor inside the process. */
  sandbox: withQuirks({ developerRole: true, replays: everyReplay }),
} as const satisfies Record<string, Quirks>;
