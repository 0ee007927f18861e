/** flite's voices, and the names of OpenAI's that callers send without thinking, each mapped on the nearest. */

const own = ['slt', 'rms', 'awb', 'kal16', 'kal'] as const;

const openai: Readonly<Record<string, (typeof own)[number]>> = {
  alloy: 'slt',
  ash: 'rms',
  ballad: 'awb',
  cedar: 'rms',
  coral: 'slt',
  echo: 'rms',
  fable: 'awb',
  marin: 'slt',
  nova: 'slt',
  onyx: 'kal16',
  sage: 'slt',
  shimmer: 'slt',
  verse: 'awb',
};

export const voices: readonly string[] = [...own, ...Object.keys(openai)];

/** flite's name of a voice; null for one that there is not. */
export function fliteVoice(name: string): string | null {
  const lower = name.toLowerCase();
  if (own.some((each) => each === lower)) return lower;
  return Object.hasOwn(openai, lower) ? (openai[lower] ?? null) : null;
}
