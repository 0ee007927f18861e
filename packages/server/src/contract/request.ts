/** What every call has in common, whatever it asks for. */
import type { Secret } from './secret.ts';

/** What a call asks for; the `endpoint` of its usage row. */
export type CallKind =
  | 'chat'
  | 'completion'
  | 'embedding'
  | 'image'
  | 'tts'
  | 'stt'
  | 'translation'
  | 'video';

export interface CallRequest {
  readonly kind: CallKind;
  /** As the caller typed it, `provider/model` or bare; null takes the default model. */
  readonly model: string | null;
  /** The provider a `model` without slash belongs to. */
  readonly providerField: string | null;
  readonly stream: boolean;
  readonly byokKey: Secret | null;
  readonly sessionId: string | null;
  /** A name for the stream chosen by the caller, valid inside its account. */
  readonly streamAlias: string | null;
  /** The most this call may cost, nano-USD. */
  readonly maxCostNano: bigint | null;
  readonly includeRaw: boolean;
}
