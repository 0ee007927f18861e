/**
 * Another sample rate, by a windowed sinc: downwards it also cuts what the new rate cannot hold, which would come back
 * as noise.
 */

/** Zero crossings of the sinc on each side: enough for speech. */
const reach = 12;

export function resample(samples: Int16Array, from: number, to: number): Int16Array {
  if (from === to) return samples;
  const result = new Int16Array(Math.floor((samples.length * to) / from));
  const cutoff = Math.min(1, to / from);
  const half = reach / cutoff;
  // Rates are whole numbers, so the places between samples repeat: one row of weights for each.
  const phases = to / greatestCommonDivisor(from, to);
  const rows = new Map<number, Float64Array>();
  const width = 2 * Math.ceil(half) + 1;
  for (let index = 0; index < result.length; index++) {
    const place = (index * from) / to;
    const first = Math.floor(place) - Math.ceil(half);
    const phase = index % phases;
    let row = rows.get(phase);
    if (row === undefined) {
      row = weights(place - first, width, cutoff, half);
      if (rows.size < 2048) rows.set(phase, row);
    }
    let sum = 0;
    for (let tap = 0; tap < width; tap++) sum += (samples[first + tap] ?? 0) * (row[tap] ?? 0);
    result[index] = Math.max(-32_768, Math.min(32_767, Math.round(sum)));
  }
  return result;
}

function weights(center: number, width: number, cutoff: number, half: number): Float64Array {
  const row = Float64Array.from({ length: width }, (_, tap) => {
    const distance = tap - center;
    if (Math.abs(distance) >= half) return 0;
    const angle = Math.PI * distance * cutoff;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / half);
    return (angle === 0 ? 1 : Math.sin(angle) / angle) * window;
  });
  const sum = row.reduce((total, weight) => total + weight, 0);
  return row.map((weight) => weight / sum);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
