/** What went wrong, for a caller to branch on. A new code is a new line of the table in the README. */
export type LocalEngineErrorCode =
  /** The request breaks a rule of the engine: too long, out of range, empty. `field` names the part. */
  | 'invalid_request'
  /** The engine cannot write, or read, this format. The message lists those it can. */
  | 'unsupported_format'
  /** No such voice. The message lists the voices there are. */
  | 'unknown_voice'
  /** The bytes are not the audio they claim to be, or end too early to hold any. */
  | 'audio_unreadable'
  /** The engine's npm package is missing. The message says how to install it. */
  | 'not_installed'
  /** The caller's signal was aborted. */
  | 'cancelled'
  /** Too many calls wait for this engine. Try again later. */
  | 'busy'
  /** The engine ran past its time limit and was stopped. */
  | 'timed_out'
  /** The engine's thread died, or the engine broke. The next call starts a new one. */
  | 'engine_failed'
  /** `close()` was called. */
  | 'closed';

/** The fields of a request that an error may concern. */
export type LocalField =
  | 'texts'
  | 'text'
  | 'voice'
  | 'format'
  | 'speed'
  | 'audio'
  | 'prompt'
  | 'width'
  | 'height'
  | 'seconds'
  | 'seed'
  | 'index';

/** The only error that an engine rejects with. Messages name no path and hold none of the request's content. */
export class LocalEngineError extends Error {
  override readonly name = 'LocalEngineError';
  /** What went wrong, for code. */
  readonly code: LocalEngineErrorCode;
  /** The field of the request that is at fault; null when none is. */
  readonly field: LocalField | null;

  constructor(code: LocalEngineErrorCode, message: string, field: LocalField | null = null) {
    super(message);
    this.code = code;
    this.field = field;
  }
}
