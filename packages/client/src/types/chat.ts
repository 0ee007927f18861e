/** Chat and text completion, as they travel. */
import type { ChatModel, CompletionModel, Fits, OpenModel } from '../model-types.ts';
import type { Envelope, GatewayFields, MoreFields } from './common.ts';

export interface TextPart {
  type: 'text';
  text: string;
}
export interface ImageUrlPart {
  type: 'image_url';
  /** A `data:` URL, or a public link. */
  image_url: { url: string; detail?: 'auto' | 'low' | 'high' };
}
export interface ImagePart {
  type: 'image';
  image: { data: string; media_type: string } | { url: string };
}
export interface OtherPart extends MoreFields {
  type: string;
}
export type ContentPart = TextPart | ImageUrlPart | ImagePart | OtherPart;

export interface ToolCall {
  id: string;
  type: 'function';
  /** `arguments` is JSON text. */
  function: { name: string; arguments: string };
  /** What a vendor wants back with the call. */
  extra_content?: Record<string, unknown>;
}

export interface ChatMessage extends MoreFields {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | (string & {});
  content?: string | ContentPart[] | Record<string, unknown> | null;
  name?: string;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
}

export interface FunctionTool {
  type: 'function';
  function: {
    name: string;
    description?: string;
    /** A JSON Schema. */
    parameters?: Record<string, unknown>;
    strict?: boolean | null;
  };
}
export type Tool = FunctionTool | OtherPart;

export type ToolChoice =
  | 'auto'
  | 'none'
  | 'required'
  | { type: 'function'; function: { name: string } }
  | OtherPart;

export type ResponseFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | {
      type: 'json_schema';
      json_schema: {
        name: string;
        schema?: Record<string, unknown>;
        description?: string;
        strict?: boolean | null;
      };
    }
  | OtherPart;

/** What chat and text completion share. */
interface SamplingFields extends GatewayFields {
  temperature?: number | null;
  /** Bound on output tokens. */
  max_tokens?: number | null;
  /** OpenAI's newer name of `max_tokens`. */
  max_completion_tokens?: number | null;
  top_p?: number | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  /** Server-sent events; the call then resolves to a stream. */
  stream?: boolean | null;
  /** How many answers. */
  n?: number | null;
  stop?: string | string[] | null;
  seed?: number | null;
  user?: string | null;
  stream_options?: ({ include_usage?: boolean | null } & MoreFields) | null;
  /** A name for the stream that `stopStream` takes as well as its id. */
  stream_id?: string | null;
  /** Fills `raw_response`. */
  include_raw?: boolean | null;
}

/** Everything of a chat but its messages. Fields only a provider knows go into `additional_params`. */
export interface ChatOptions<M extends string = string> extends SamplingFields {
  /** `provider/model`; without it the gateway's default chat model. */
  model?: OpenModel<ChatModel, M, Fits<'chat', M>>;
  tools?: Tool[] | null;
  tool_choice?: ToolChoice | null;
  response_format?: ResponseFormat | null;
}

/** Everything of a text completion but its prompt. */
export interface CompletionOptions<M extends string = string> extends SamplingFields {
  /** `provider/model`; without it the gateway's default model for text completion. */
  model?: OpenModel<CompletionModel, M, Fits<'completion', M>>;
}

export interface ChatParams<M extends string = string> extends ChatOptions<M> {
  messages: ChatMessage[];
}
export interface CompletionParams<M extends string = string> extends CompletionOptions<M> {
  prompt: string;
}

export type FinishReason =
  | 'stop'
  | 'length'
  | 'tool_calls'
  | 'content_filter'
  | 'function_call'
  | 'error'
  | 'cancelled';

/** What an assistant said, in OpenAI's words. */
export interface AssistantMessage extends MoreFields {
  role: 'assistant';
  content: string | null;
  refusal: string | null;
  tool_calls?: ToolCall[];
  reasoning_content?: string;
  /** Opaque blocks a vendor wants back verbatim in the next turn. */
  reasoning_details?: Record<string, unknown>[];
}

export interface ChatChoice {
  index: number;
  finish_reason: FinishReason | null;
  logprobs: unknown;
  message: AssistantMessage;
}
export interface CompletionChoice {
  index: number;
  finish_reason: FinishReason | null;
  logprobs: unknown;
  text: string;
}

interface TextAnswer<Data, Choice> extends Envelope<Data> {
  finish_reason: FinishReason | null;
  /** Pictures drawn inside the chat. */
  images: { url: string; index: number }[] | null;
  reasoning_content: string | null;
  /** The same as `request_id`. */
  id: string;
  object: 'chat.completion' | 'text_completion';
  /** Unix seconds. */
  created: number;
  choices: Choice[];
}

/** The text, or text and tool calls when the model calls tools. */
export type ChatData = string | { content: string; tool_calls: ToolCall[] };
export type ChatCompletion = TextAnswer<ChatData, ChatChoice>;
export type Completion = TextAnswer<string, CompletionChoice>;

interface DeltaChoice<Delta> {
  index: number;
  delta: Delta;
  finish_reason: FinishReason | null;
  logprobs?: unknown;
}
export interface ToolCallDelta {
  /** Which tool call of the answer. */
  index: number;
  /** With the first piece only. */
  id?: string;
  type?: 'function';
  function: { name?: string; arguments: string };
  extra_content?: Record<string, unknown>;
}

/** First: the id of the stream, and who answers. */
export interface StartEvent {
  type: 'usage_start';
  request_id: string;
  provider: string;
  model: string;
  /** 0 where the provider does not tell it first. */
  input_tokens: number;
}
/** A piece of text. */
export interface ContentEvent {
  type: 'content';
  data: string;
  provider: string;
  choices: DeltaChoice<{ content: string }>[];
}
/** A piece of the model's reasoning. */
export interface ReasoningEvent {
  type: 'reasoning';
  reasoning: string;
  provider: string;
  choices: DeltaChoice<{ reasoning_content: string; reasoning_details?: Record<string, unknown>[] }>[];
}
/** A piece of a tool call. `stream.final()` puts them together. */
export interface ToolCallsEvent {
  type: 'tool_calls';
  provider: string;
  choices: DeltaChoice<{ tool_calls: ToolCallDelta[] }>[];
}
export interface ImageEvent {
  type: 'image';
  provider: string;
  images: { url: string; index: number }[];
}
export interface RefusalEvent {
  type: 'refusal';
  provider: string;
  choices: DeltaChoice<{ refusal: string }>[];
}
/** Once for each choice. */
export interface FinishEvent {
  type: 'finish';
  provider: string;
  finish_reason: FinishReason;
  choices: DeltaChoice<Record<string, never>>[];
}
/** What the whole stream used and cost. */
export interface UsageEvent {
  type: 'usage_final';
  input_tokens: number;
  output_tokens: number;
  /** US dollars; null when the price of the model is unknown. */
  cost_usd: number | null;
  latency_ms: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  byok_api_key: boolean;
  estimated?: boolean;
}
/** Last. `cancelled` when the stream was stopped. */
export interface DoneEvent {
  type: 'response.done';
  response: {
    id: string;
    object: 'response';
    status: 'completed' | 'cancelled';
    model: string;
    usage: { input_tokens: number; output_tokens: number; total_tokens: number };
  };
}

/** One frame of a stream; narrow it by `type`. */
export type ChatStreamEvent =
  | StartEvent
  | ContentEvent
  | ReasoningEvent
  | ToolCallsEvent
  | ImageEvent
  | RefusalEvent
  | FinishEvent
  | UsageEvent
  | DoneEvent;
