/** How long a sound is, read from the sound itself: what is billed by the second is billed by this. */

/** Speech codecs go down to about this; a sound whose length is hidden is at most so long. */
const leastBytesPerSecond = 750;

/** Milliseconds; null where the format hides it, or is none. */
export async function measureAudio(path: string): Promise<number | null> {
  // Loaded when the first sound arrives: most gateways never see one.
  const { parseFile } = await import('music-metadata');
  try {
    const { format } = await parseFile(path, { duration: true, skipCovers: true });
    const { duration } = format;
    return duration === undefined || !Number.isFinite(duration) || duration <= 0
      ? null
      : Math.ceil(duration * 1000);
  } catch {
    return null;
  }
}

/** 32 kbit/s, as low as speech is usually stored: what is charged where nobody tells the length. */
const usualBytesPerSecond = 4_000;

export function usualAudio(bytes: number): number {
  return Math.ceil((bytes / usualBytesPerSecond) * 1000);
}

/** The most milliseconds a sound of this size can last. */
export function longestAudio(bytes: number): number {
  return Math.ceil((bytes / leastBytesPerSecond) * 1000);
}
