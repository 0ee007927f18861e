/** Tells when a file's text has changed, whether it was written, replaced by an editor or switched by a symbolic link. */
import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import { readIfThere } from './environment.ts';

/** Editors write in several steps; what is read between them is half a file. */
const settleMs = 100;
/** Mounts that deliver no events are looked at this often. */
const pollMs = 3_000;

export function watchFile(path: string, onChange: () => void): { check(): void; close(): void } {
  let known = textOf(path);
  let timer: NodeJS.Timeout | null = null;

  const check = (): void => {
    const text = textOf(path);
    // Gone for a moment while it is being replaced: what was read last stays.
    if (text === null || text === known) return;
    known = text;
    onChange();
  };
  const soon = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(check, settleMs).unref();
  };
  // The directory, because a replaced file is another inode and the watch of the old one would hear nothing more.
  const watcher = watchDirectory(dirname(path), soon);
  const poll = setInterval(check, pollMs).unref();
  return {
    check,
    close() {
      watcher?.close();
      clearInterval(poll);
      if (timer !== null) clearTimeout(timer);
    },
  };
}

function watchDirectory(directory: string, onEvent: () => void): FSWatcher | null {
  try {
    const watcher = watch(directory, { persistent: false }, onEvent);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}

function textOf(path: string): string | null {
  try {
    return readIfThere(path);
  } catch {
    return null;
  }
}
