/** Log lines without secrets. */

export type LogLevel = 'off' | 'error' | 'warn' | 'info' | 'debug';

export interface Logger {
  error(message: string, ...more: unknown[]): void;
  warn(message: string, ...more: unknown[]): void;
  info(message: string, ...more: unknown[]): void;
  debug(message: string, ...more: unknown[]): void;
}

const levels: readonly LogLevel[] = ['off', 'error', 'warn', 'info', 'debug'];

export const isLogLevel = (name: unknown): name is LogLevel => levels.includes(name as LogLevel);

/** A logger that leaves out what is below its level. */
export function levelled(logger: Logger, level: LogLevel): Logger {
  const at =
    (name: Exclude<LogLevel, 'off'>) =>
    (message: string, ...more: unknown[]): void => {
      if (levels.indexOf(name) <= levels.indexOf(level)) logger[name](message, ...more);
    };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

const secretNames = /key|token|secret|authorization|cookie|password|signature/i;
const secretShapes = /\b(indox[-_]|sk-|Bearer )[\w.~+/=-]{6,}/g;

/** Takes known secrets, and what looks like one, out of a text. */
export function redactText(text: string, secrets: Iterable<string>): string {
  let clean = text;
  for (const secret of secrets) if (secret.length > 3) clean = clean.replaceAll(secret, '***');
  return clean.replace(secretShapes, '$1***');
}

/** A copy for the log: members with a secret's name are left out, long texts shortened. */
export function redactValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') {
    const clean = redactText(value, []);
    return clean.length > 200 ? `${clean.slice(0, 200)}… (${clean.length})` : clean;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth > 4) return '…';
  if (Array.isArray(value)) return value.slice(0, 20).map((each) => redactValue(each, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      secretNames.test(name) && typeof member === 'string' ? '***' : redactValue(member, depth + 1),
    ]),
  );
}
