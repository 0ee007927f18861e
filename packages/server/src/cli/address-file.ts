/**
 * `<data dir>/gateway.json`, mode 0600: where the running gateway answers, and the token of this run that lets its own
 * command line in. The gateway writes it once it listens and removes it when it closes.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const addressSchema = z.object({ url: z.url(), pid: z.int().positive(), token: z.string().min(16) });

export type Address = z.infer<typeof addressSchema>;

const fileOf = (dataDir: string): string => join(dataDir, 'gateway.json');

/** null when there is none, or none that can be read. */
export function readAddress(dataDir: string): Address | null {
  try {
    const parsed = addressSchema.safeParse(JSON.parse(readFileSync(fileOf(dataDir), 'utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/**
 * Written aside and renamed, so that nobody reads half of it or more than its owner ever can. False where the directory
 * cannot be written, as in a container without a disk: the commands then open the store, which is PostgreSQL there.
 */
export function writeAddress(dataDir: string, address: Address): boolean {
  const aside = `${fileOf(dataDir)}.${address.pid}`;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    rmSync(aside, { force: true });
    writeFileSync(aside, `${JSON.stringify(address)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(aside, fileOf(dataDir));
    return true;
  } catch {
    return false;
  }
}

/** Removes the file if it is still this process's own. */
export function removeAddress(dataDir: string, pid: number): void {
  if (readAddress(dataDir)?.pid === pid) rmSync(fileOf(dataDir), { force: true });
}
