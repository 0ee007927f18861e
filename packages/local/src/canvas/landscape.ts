/** What is to be seen: a sky, a sun, stars and hills, chosen by the words of the prompt. The picture and the film share it. */
import { createHash } from 'node:crypto';

interface Palette {
  readonly words: RegExp;
  /** From the top of the sky to the nearest hill. */
  readonly colours: readonly [string, string, string, string, string, string];
  readonly light: string;
}

const palettes: readonly Palette[] = [
  {
    words: /\b(sea|ocean|water|river|lake|ice|blue|rain)/i,
    colours: ['#0b3c5d', '#5fa8d3', '#3f88c5', '#2a6f97', '#1b4f72', '#0a2f4a'],
    light: '#f7f3e3',
  },
  {
    words: /\b(forest|tree|garden|green|grass|jungle|plant)/i,
    colours: ['#7fb7be', '#dacc96', '#74a57f', '#4a7c59', '#2f5d46', '#1b3a2f'],
    light: '#fff3b0',
  },
  {
    words: /\b(night|space|star|moon|dark|galaxy)/i,
    colours: ['#0b1026', '#3a2e6b', '#2b2a5a', '#221f49', '#181737', '#0d0d24'],
    light: '#f4f1de',
  },
  {
    words: /\b(fire|sun|desert|red|autumn|warm|volcano)/i,
    colours: ['#5f0f40', '#fb8b24', '#e36414', '#b23a48', '#7a1e3a', '#43112b'],
    light: '#ffe8a3',
  },
  {
    words: /\b(snow|winter|mountain|cloud|white)/i,
    colours: ['#8fa9c4', '#e8eef4', '#b7c7d9', '#8ea6be', '#64809c', '#3f5872'],
    light: '#ffffff',
  },
  {
    words: /\b(pink|flower|love|spring|dream)/i,
    colours: ['#6d597a', '#f2b5b5', '#e56b6f', '#b56576', '#845070', '#4c3356'],
    light: '#ffe5d9',
  },
];

/** Numbers from 0 to 1 that are always the same for the same key. */
export type Random = () => number;

/** A ridge, as waves over its width: `y = base + Σ rise · sin(angle · rate + phase)`, with the angle from 0 to 2π. */
export interface Ridge {
  readonly colour: string;
  readonly base: number;
  readonly waves: readonly { readonly rate: number; readonly phase: number; readonly rise: number }[];
}

export interface Star {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** All lengths in pixels. */
export interface Landscape {
  readonly top: string;
  readonly low: string;
  readonly light: string;
  readonly sun: Star;
  readonly stars: readonly Star[];
  /** From the farthest to the nearest. */
  readonly ridges: readonly Ridge[];
}

export interface Commission {
  readonly prompt: string;
  readonly width: number;
  readonly height: number;
  readonly seed: number;
  readonly index: number;
}

export function landscapeOf({ prompt, width, height, seed, index }: Commission): Landscape {
  const random = randomOf(`${seed}\n${index}\n${prompt}`);
  const chosen = palettes.find(({ words }) => words.test(prompt));
  const { colours, light } = chosen ?? pick(palettes, random());
  const [top, low, ...hills] = colours;
  const least = Math.min(width, height);
  const x = width * (0.2 + 0.6 * random());
  const y = height * (0.18 + 0.24 * random());
  const sun = { x, y, radius: least * (0.07 + 0.06 * random()) };
  const stars = Array.from({ length: 40 }, () => {
    const radius = (least / 700) * (0.5 + 1.5 * random());
    return { x: width * random(), y: height * 0.55 * random() ** 1.5, radius };
  });
  // Nearer ones lie lower.
  const ridges = hills.map((colour, layer) => ({
    colour,
    base: height * (0.52 + 0.12 * layer),
    waves: [1, 2.3, 5.1].map((rate) => ({
      rate: rate * (0.8 + 0.6 * random()),
      phase: random() * 2 * Math.PI,
      rise: (height * 0.075) / rate,
    })),
  }));
  return { top, low, light, sun, stars, ridges };
}

export function ridgeHeight({ base, waves }: Ridge, angle: number): number {
  return waves.reduce((sum, { rate, phase, rise }) => sum + rise * Math.sin(angle * rate + phase), base);
}

/** The first words, as large as fits on one line: an element of SVG. */
export function caption(prompt: string, width: number, height: number, colour: string): string {
  const plain = prompt.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
  const [start] = plain.match(/^.{1,40}(?=\s|$)/u) ?? [Array.from(plain).slice(0, 40).join('')];
  const line = start.length < plain.length ? `${start}…` : start;
  // A bold letter is about 0.7 of its size wide.
  const size = Math.min(height * 0.06, (width * 0.88) / (0.7 * Math.max(1, line.length)));
  const y = height * 0.94;
  return `<text x="${width / 2}" y="${y}" text-anchor="middle" font-family="DejaVu Sans" font-weight="bold" font-size="${size.toFixed(2)}" fill="${colour}">${escaped(line)}</text>`;
}

function pick<T>(from: readonly [T, ...T[]] | readonly T[], share: number): T {
  return from[Math.floor(share * from.length)] as T;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function randomOf(key: string): Random {
  let block = createHash('sha256').update(key).digest();
  let at = 0;
  return () => {
    if (at === block.length) {
      block = createHash('sha256').update(block).digest();
      at = 0;
    }
    const value = block.readUInt32BE(at) / 2 ** 32;
    at += 4;
    return value;
  };
}
