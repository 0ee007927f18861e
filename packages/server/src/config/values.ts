/** From the text of a flag, a variable or a file to a typed value. Messages say what is expected, never what was given. */
import { Secret } from '../contract/secret.ts';
import { ValueError } from './problem.ts';

export type Read<T> = (text: string) => T;

export function wholeNumber(least: number, most: number): Read<number> {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new ValueError(`must be a whole number from ${least} to ${most}`);
  };
}

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** "500ms", "5s", "15m", "1h" → milliseconds. A number without a unit is refused: nobody can tell which it is. */
export function duration(least: number, most: number): Read<number> {
  return (text) => {
    const match = /^(\d{1,9})(ms|s|m|h)$/.exec(text);
    if (match === null) throw new ValueError('must be a duration with its unit, like 500ms, 5s, 15m or 1h');
    const value = Number(match[1]) * (milliseconds[match[2] ?? ''] ?? Number.NaN);
    if (value >= least && value <= most) return value;
    throw new ValueError(`must be between ${formatDuration(least)} and ${formatDuration(most)}`);
  };
}

/** 900000 → "15m". */
export function formatDuration(value: number): string {
  for (const unit of ['h', 'm', 's']) {
    const size = milliseconds[unit] ?? 1;
    if (value >= size && value % size === 0) return `${value / size}${unit}`;
  }
  return `${value}ms`;
}

const bytes: Readonly<Record<string, number>> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** "33554432" or "32MiB" → bytes. */
export function size(least: number, most: number): Read<number> {
  return (text) => {
    const match = /^(\d{1,12}) ?(KiB|MiB|GiB|)$/.exec(text);
    const value = match === null ? Number.NaN : Number(match[1]) * (bytes[match[2] ?? ''] ?? Number.NaN);
    if (value >= least && value <= most) return value;
    throw new ValueError(`must be a size from ${formatSize(least)} to ${formatSize(most)}, like 32MiB`);
  };
}

/** 33554432 → "32MiB". */
export function formatSize(value: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    const factor = bytes[unit] ?? 1;
    if (value >= factor && value % factor === 0) return `${value / factor}${unit}`;
  }
  return String(value);
}

export const onOff: Read<boolean> = (text) => {
  if (/^(on|true|1|yes)$/i.test(text)) return true;
  if (/^(off|false|0|no)$/i.test(text)) return false;
  throw new ValueError('must be on or off');
};

export function oneOf<const T extends string>(...names: readonly T[]): Read<T> {
  return (text) => {
    const name = names.find((each) => each === text);
    if (name !== undefined) return name;
    throw new ValueError(`must be one of ${names.join(', ')}`);
  };
}

/** A host name or address to listen on. */
export const host: Read<string> = (text) => {
  if (/^[A-Za-z0-9.:_-]{1,255}$/.test(text)) return text;
  throw new ValueError('must be a host name or an IP address, without a scheme or a port');
};

export const plainText: Read<string> = (text) => text;

/** An http(s) URL without credentials, query or fragment; trailing slashes are taken off. */
export const httpUrl: Read<string> = (text) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new ValueError('must be a URL that begins with http:// or https://');
  }
  if (url.username !== '' || url.password !== '')
    throw new ValueError('must not hold a user name or a password');
  if (url.search !== '' || url.hash !== '') throw new ValueError('must not have a query or a fragment');
  return text.replace(/\/+$/, '');
};

/** Where callers reach the gateway: scheme, host and port only. */
export const origin: Read<string> = (text) => {
  const url = httpUrl(text);
  if (new URL(url).pathname !== '/')
    throw new ValueError('must be an origin like https://ai.example.com, without a path');
  return url;
};

export const postgresUrl: Read<Secret> = (text) => {
  if (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text)) return new Secret(text);
  throw new ValueError('must be a PostgreSQL URL: postgres://user:password@host:5432/database');
};

/** Short keys can be guessed; a key of spaces is a mistake in a script. */
export function longSecret(least: number): Read<Secret> {
  return (text) => {
    const trimmed = text.trim();
    if (trimmed.length < least) {
      throw new ValueError(
        `must have at least ${least} characters (\`openssl rand -hex 32\` makes a good one)`,
      );
    }
    return headerSecret(trimmed);
  };
}

/** A key that travels in a header: printable, without spaces or line ends. */
export const headerSecret: Read<Secret> = (text) => {
  const trimmed = text.trim();
  if (/^[\x21-\x7e]{1,16384}$/.test(trimmed)) return new Secret(trimmed);
  throw new ValueError('must be printable ASCII without spaces');
};
