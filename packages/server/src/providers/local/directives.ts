/**
 * What a caller may ask of the sandbox besides an answer, written in the prompt: `[[sandbox:error 429 retry-after=7]]`.
 * docs/sandbox.md lists them; a word it does not list is a 400, so that a typing error does not pass for a success.
 */

export interface Directives {
  /** Answer this status instead, with an optional Retry-After in seconds. */
  error: { status: number; retryAfter: string | null } | null;
  /** Milliseconds before the first byte. */
  delayMs: number;
  /** Milliseconds between events. */
  slowMs: number;
  /** Reset the connection after so many events. */
  cutAfter: number | null;
  /** Say nothing more after so many events. */
  hangAfter: number | null;
  /** Report an error inside the stream after so many events. */
  breakAfter: number | null;
  /** An answer of so many tokens. */
  tokens: number | null;
  /** Reasoning before the answer. */
  think: boolean;
  noUsage: boolean;
  malformed: boolean;
  finish: string | null;
  /** The first word that is no directive. */
  unknown: string | null;
}

const pattern = /\[\[sandbox:\s*([^\]]{0,200})\]\]/g;
const maxMs = 600_000;
const maxTokens = 100_000;

export function withoutDirectives(text: string): string {
  return text.replace(pattern, ' ').trim();
}

function whole(word: string | undefined, fallback: number, max: number): number {
  const value = word !== undefined && /^\d{1,9}$/.test(word) ? Number(word) : fallback;
  return Math.min(value, max);
}

export function readDirectives(text: string): Directives {
  const found: Directives = {
    error: null,
    delayMs: 0,
    slowMs: 0,
    cutAfter: null,
    hangAfter: null,
    breakAfter: null,
    tokens: null,
    think: false,
    noUsage: false,
    malformed: false,
    finish: null,
    unknown: null,
  };
  for (const match of text.matchAll(pattern)) {
    const [name = '', first, ...rest] = (match[1] ?? '').trim().split(/\s+/);
    apply(found, name.toLowerCase(), first, rest);
  }
  return found;
}

function apply(found: Directives, name: string, first: string | undefined, rest: readonly string[]): void {
  switch (name) {
    case 'error': {
      const retry = rest.find((word) => word.startsWith('retry-after='));
      const status = whole(first, 500, 599);
      const retryAfter = retry === undefined ? null : retry.slice('retry-after='.length);
      found.error = { status: status >= 400 ? status : 500, retryAfter };
      return;
    }
    case 'delay':
      found.delayMs = whole(first, 1000, maxMs);
      return;
    case 'slow':
      found.slowMs = whole(first, 100, maxMs);
      return;
    case 'cut':
      found.cutAfter = whole(first, 0, maxTokens);
      return;
    case 'hang':
      found.hangAfter = whole(first, 0, maxTokens);
      return;
    case 'break':
      found.breakAfter = whole(first, 1, maxTokens);
      return;
    case 'tokens':
      found.tokens = whole(first, 50, maxTokens);
      return;
    case 'think':
      found.think = true;
      return;
    case 'nousage':
      found.noUsage = true;
      return;
    case 'malformed':
      found.malformed = true;
      return;
    case 'finish':
      found.finish = first ?? 'stop';
      return;
    default:
      found.unknown ??= name;
  }
}
