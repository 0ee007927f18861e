/** The picture as SVG: sky, sun and hills in a palette that the prompt's words choose, and the words themselves. */
import type { Jobs } from '../messages.ts';
import { caption, landscapeOf, ridgeHeight, type Ridge, type Star } from './landscape.ts';

export function scene(job: Jobs['images']): string {
  const { prompt, width, height } = job;
  const { top, low, light, sun, stars, ridges } = landscapeOf(job);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${top}"/>`,
    `<stop offset="0.75" stop-color="${low}"/></linearGradient><radialGradient id="glow">`,
    `<stop offset="0" stop-color="${light}" stop-opacity="0.7"/><stop offset="1" stop-color="${light}" stop-opacity="0"/>`,
    `</radialGradient></defs><rect width="${width}" height="${height}" fill="url(#sky)"/>`,
    `<g opacity="0.55">${stars.map((star) => circle(star, light)).join('')}</g>`,
    circle({ ...sun, radius: sun.radius * 3.2 }, 'url(#glow)'),
    circle(sun, light),
  ];
  for (const ridge of ridges) parts.push(hill(width, height, ridge));
  parts.push(caption(prompt, width, height, light), '</svg>');
  return parts.join('');
}

function hill(width: number, height: number, ridge: Ridge): string {
  const points = Array.from({ length: 65 }, (_, step) => {
    const share = step / 64;
    return `${(share * width).toFixed(1)},${ridgeHeight(ridge, share * 2 * Math.PI).toFixed(1)}`;
  });
  return `<polygon fill="${ridge.colour}" points="0,${height} ${points.join(' ')} ${width},${height}"/>`;
}

function circle({ x, y, radius }: Star, fill: string): string {
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radius.toFixed(1)}" fill="${fill}"/>`;
}
