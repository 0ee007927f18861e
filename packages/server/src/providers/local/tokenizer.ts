/** The sandbox's own tokens: up to six letters or digits with the space before them, or one other character. */

const token = /\s*(?:[\p{L}\p{M}\p{N}_]{1,6}|[^\s\p{L}\p{M}\p{N}_])|\s+$/gu;
const longText = 32_768;

/** The pieces of a text; joined they are the text again. */
export function tokenize(text: string): string[] {
  return text.match(token) ?? [];
}

/** How many tokens a text has; a long one is counted as a quarter of its length, so that it blocks nobody. */
export function countTokens(text: string): number {
  return text.length > longText ? Math.ceil(text.length / 4) : tokenize(text).length;
}
