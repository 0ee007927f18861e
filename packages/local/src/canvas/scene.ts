/** The picture as SVG: sky, sun and hills in a palette that the prompt's words choose, and the words themselves. */
import { createHash } from 'node:crypto';
import type { Jobs } from '../messages.ts';

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

export function scene({ prompt, width, height, seed, index }: Jobs['images']): string {
  const random = randomOf(`${seed}\n${index}\n${prompt}`);
  const chosen = palettes.find(({ words }) => words.test(prompt));
  const { colours, light } = chosen ?? pick(palettes, random());
  const [top, low, ...hills] = colours;
  const sunX = width * (0.2 + 0.6 * random());
  const sunY = height * (0.18 + 0.24 * random());
  const radius = Math.min(width, height) * (0.07 + 0.06 * random());
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${top}"/>`,
    `<stop offset="0.75" stop-color="${low}"/></linearGradient><radialGradient id="glow">`,
    `<stop offset="0" stop-color="${light}" stop-opacity="0.7"/><stop offset="1" stop-color="${light}" stop-opacity="0"/>`,
    `</radialGradient></defs><rect width="${width}" height="${height}" fill="url(#sky)"/>`,
    stars(width, height, light, random),
    circle(sunX, sunY, radius * 3.2, 'url(#glow)'),
    circle(sunX, sunY, radius, light),
  ];
  for (const [layer, colour] of hills.entries()) parts.push(hill(width, height, layer, colour, random));
  parts.push(caption(prompt, width, height, light), '</svg>');
  return parts.join('');
}

function stars(width: number, height: number, colour: string, random: () => number): string {
  const marks = Array.from({ length: 40 }, () => {
    const size = (Math.min(width, height) / 700) * (0.5 + 1.5 * random());
    return circle(width * random(), height * 0.55 * random() ** 1.5, size, colour);
  });
  return `<g opacity="0.55">${marks.join('')}</g>`;
}

/** A ridge of three waves; nearer ones lie lower and roll more slowly. */
function hill(width: number, height: number, layer: number, colour: string, random: () => number): string {
  const base = height * (0.52 + 0.12 * layer);
  const waves = [1, 2.3, 5.1].map((rate) => ({
    rate: rate * (0.8 + 0.6 * random()),
    phase: random() * 2 * Math.PI,
    rise: (height * 0.075) / rate,
  }));
  const points = Array.from({ length: 65 }, (_, step) => {
    const angle = (step / 64) * 2 * Math.PI;
    const y = waves.reduce((sum, { rate, phase, rise }) => sum + rise * Math.sin(angle * rate + phase), base);
    return `${((step / 64) * width).toFixed(1)},${y.toFixed(1)}`;
  });
  return `<polygon fill="${colour}" points="0,${height} ${points.join(' ')} ${width},${height}"/>`;
}

/** The first words, as large as fits on one line. */
function caption(prompt: string, width: number, height: number, colour: string): string {
  const plain = prompt.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
  const [start] = plain.match(/^.{1,40}(?=\s|$)/u) ?? [Array.from(plain).slice(0, 40).join('')];
  const line = start.length < plain.length ? `${start}…` : start;
  // A bold letter is about 0.7 of its size wide.
  const size = Math.min(height * 0.06, (width * 0.88) / (0.7 * Math.max(1, line.length)));
  const y = height * 0.94;
  return `<text x="${width / 2}" y="${y}" text-anchor="middle" font-family="DejaVu Sans" font-weight="bold" font-size="${size.toFixed(2)}" fill="${colour}">${escaped(line)}</text>`;
}

function circle(x: number, y: number, radius: number, fill: string): string {
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radius.toFixed(1)}" fill="${fill}"/>`;
}

function pick<T>(from: readonly [T, ...T[]] | readonly T[], share: number): T {
  return from[Math.floor(share * from.length)] as T;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Numbers from 0 to 1 that are always the same for the same key. */
function randomOf(key: string): () => number {
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
