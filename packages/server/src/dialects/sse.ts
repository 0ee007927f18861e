/** Server-sent events as callers read them: one space after the colon, one line of JSON. */

/** JSON.stringify leaves no raw newline, so a model's text cannot end a frame. */
export function frame(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

export function namedFrame(event: string, value: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(value)}\n\n`;
}

export const done = 'data: [DONE]\n\n';
export const heartbeat = ': keep-alive\n\n';
