/** Secrets that were planted, and looked for wherever a gateway leaves words. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every writing of a secret that must not be found: itself, base64 at each of three offsets, hexadecimal, its beginning. */
function writings(secret: string, begins: number): string[] {
  const offsets = [0, 1, 2].map((skip) =>
    Buffer.from(secret.slice(skip, secret.length - ((secret.length - skip) % 3))).toString('base64'),
  );
  return [
    secret,
    secret.slice(0, begins),
    secret.slice(-12),
    ...offsets,
    ...offsets.map((each) => each.replaceAll('+', '-').replaceAll('/', '_')),
    Buffer.from(secret).toString('hex'),
  ];
}

export interface Finding {
  readonly where: string;
  readonly name: string;
  /** What stands around it. */
  readonly context: string;
}

/** `begins`: so many characters of a secret's beginning must not be found either; by name, else 12. */
export function findings(
  places: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
  begins: Readonly<Record<string, number>> = {},
): Finding[] {
  const found: Finding[] = [];
  for (const [where, text] of Object.entries(places))
    for (const [name, secret] of Object.entries(secrets))
      for (const writing of writings(secret, begins[name] ?? 12)) {
        const at = text.indexOf(writing);
        if (at >= 0) found.push({ where, name, context: text.slice(Math.max(0, at - 150), at + 60) });
      }
  return found;
}

/** All files of a directory, as one text. */
export function filesOf(directory: string): string {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}
