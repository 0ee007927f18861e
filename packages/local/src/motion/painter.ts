/** Frames of a film: the landscape of the prompt with hills that pass by, a sun that wanders and stars that twinkle. */
import { landscapeOf, ridgeHeight, type Commission, type Ridge } from '../canvas/landscape.ts';

/** RGBA, premultiplied, with the caption and nothing else. */
export type Overlay = Uint8Array;

/** Draws the frame at a time, in seconds, into `pixels`: width × height × 4 bytes of RGBA. */
export type Painter = (pixels: Uint8Array, seconds: number) => void;

type Colour = readonly [red: number, green: number, blue: number];

const colourOf = (hex: string): Colour => {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
};
const mixed = (from: Colour, to: Colour, share: number): Colour => [
  from[0] + (to[0] - from[0]) * share,
  from[1] + (to[1] - from[1]) * share,
  from[2] + (to[2] - from[2]) * share,
];
/** As one number of a little-endian pixel. */
const packed = ([red, green, blue]: Colour): number =>
  (0xff00_0000 | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red)) >>> 0;

export function painterOf(commission: Commission, overlay: Overlay): Painter {
  const { width, height } = commission;
  const landscape = landscapeOf(commission);
  const { stars, sun, ridges } = landscape;
  const [top, low, light] = [landscape.top, landscape.low, landscape.light].map(colourOf) as [
    Colour,
    Colour,
    Colour,
  ];
  const sky = Array.from({ length: height }, (_, y) =>
    packed(mixed(top, low, Math.min(1, y / (0.75 * height)))),
  );
  const lettered = letteredPixels(overlay);

  return (pixels, seconds) => {
    const canvas: Canvas = { pixels, width, height };
    const wide = new Uint32Array(pixels.buffer, pixels.byteOffset, width * height);
    for (const [y, colour] of sky.entries()) wide.fill(colour, y * width, (y + 1) * width);
    for (const [at, star] of stars.entries()) {
      const alpha = 0.55 * (0.6 + 0.4 * Math.sin(2 * Math.PI * (seconds * 0.7 + at * 0.37)));
      disc(canvas, star.x, star.y, star.radius, light, (distance) => alpha * edge(star.radius, distance));
    }
    const x = sun.x + 0.08 * width * Math.sin((2 * Math.PI * seconds) / 12);
    const y = sun.y - 0.04 * height * Math.sin((2 * Math.PI * seconds) / 8);
    const glow = sun.radius * 3.2;
    disc(canvas, x, y, glow, light, (distance) => 0.7 * Math.max(0, 1 - distance / glow));
    disc(canvas, x, y, sun.radius, light, (distance) => edge(sun.radius, distance));
    for (const [layer, ridge] of ridges.entries())
      hill(canvas, wide, ridge, seconds * width * (0.012 + 0.02 * layer));
    for (const at of lettered) {
      const left = 1 - (overlay[at + 3] ?? 0) / 255;
      for (let part = at; part < at + 3; part++)
        pixels[part] = (overlay[part] ?? 0) + (pixels[part] ?? 0) * left;
    }
  };
}

/** Where the overlay has something. */
function letteredPixels(overlay: Overlay): Uint32Array {
  const found: number[] = [];
  for (let at = 0; at < overlay.length; at += 4) if ((overlay[at + 3] ?? 0) > 0) found.push(at);
  return Uint32Array.from(found);
}

interface Canvas {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** How much of a pixel a disc covers. */
const edge = (radius: number, distance: number): number =>
  Math.min(1, Math.max(0, radius + 0.5 - distance)) * Math.min(1, 2 * radius);

function blend(pixels: Uint8Array, at: number, [red, green, blue]: Colour, alpha: number): void {
  const left = 1 - alpha;
  pixels[at] = red * alpha + (pixels[at] ?? 0) * left;
  pixels[at + 1] = green * alpha + (pixels[at + 1] ?? 0) * left;
  pixels[at + 2] = blue * alpha + (pixels[at + 2] ?? 0) * left;
}

function disc(
  { pixels, width, height }: Canvas,
  centreX: number,
  centreY: number,
  radius: number,
  colour: Colour,
  alphaAt: (distance: number) => number,
): void {
  const last = {
    x: Math.min(width - 1, centreX + radius + 1),
    y: Math.min(height - 1, centreY + radius + 1),
  };
  for (let y = Math.max(0, Math.floor(centreY - radius)); y <= last.y; y++)
    for (let x = Math.max(0, Math.floor(centreX - radius)); x <= last.x; x++) {
      const alpha = alphaAt(Math.hypot(x - centreX, y - centreY));
      if (alpha > 0) blend(pixels, (y * width + x) * 4, colour, alpha);
    }
}

/** Everything below the ridge, with a soft edge. `shift`: pixels that have passed by. */
function hill({ pixels, width, height }: Canvas, wide: Uint32Array, ridge: Ridge, shift: number): void {
  const colour = colourOf(ridge.colour);
  const full = packed(colour);
  const heights = Float64Array.from({ length: width }, (_, x) =>
    ridgeHeight(ridge, ((x + shift) / width) * 2 * Math.PI),
  );
  const highest = heights.reduce((best, each) => Math.min(best, each), height);
  for (let y = Math.max(0, Math.floor(highest)); y < height; y++)
    for (let x = 0; x < width; x++) {
      const covered = y + 1 - (heights[x] ?? height);
      const at = y * width + x;
      if (covered >= 1) wide[at] = full;
      else if (covered > 0) blend(pixels, at * 4, colour, covered);
    }
}
