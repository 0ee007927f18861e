/**
 * An MP4 as it leaves the encoder → one that is the same every time and starts playing before it is whole: no time of day,
 * the index before the frames, and a comment that says what it is.
 */

/** Boxes that hold boxes, as far as anything is changed in them. */
const containers = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl']);
/** The type of a unit of H.264 that a decoder can begin at. */
const keyUnit = 5;
const timed = new Set(['mvhd', 'tkhd', 'mdhd']);

interface Box {
  readonly type: string;
  readonly bytes: Buffer;
}

/** The boxes of `[from, bytes.length)`. Throws for what is not a row of whole boxes. */
function* boxesOf(bytes: Buffer, from = 0): Generator<Box> {
  for (let at = from; at < bytes.length;) {
    const size = bytes.length - at < 8 ? 0 : bytes.readUInt32BE(at);
    if (size < 8 || at + size > bytes.length) throw new Error('the encoder wrote no MP4');
    yield { type: bytes.toString('latin1', at + 4, at + 8), bytes: bytes.subarray(at, at + size) };
    at += size;
  }
}

function box(type: string, ...parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(8);
  head.write(type, 4, 'latin1');
  head.writeUInt32BE(8 + parts.reduce((sum, { length }) => sum + length, 0));
  return Buffer.concat([head, ...parts]);
}

/** What players and `exiftool` show as comment and encoder, as iTunes writes it. */
function said(texts: Readonly<Record<string, string>>): Buffer {
  const zeros = (count: number): Buffer => Buffer.alloc(count);
  const items = Object.entries(texts).map(([type, text]) =>
    box(type, box('data', Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]), Buffer.from(text, 'utf8'))),
  );
  const handler = box('hdlr', zeros(8), Buffer.from('mdirappl', 'latin1'), zeros(9));
  return box('udta', box('meta', zeros(4), handler, box('ilst', ...items)));
}

/** The place of the picture's frames in the file, which grow by `shift`; in place. */
function move(bytes: Buffer, shift: number): void {
  for (const { type, bytes: own } of boxesOf(bytes, 8)) {
    if (type === 'stco')
      for (let at = 16; at < own.length; at += 4) own.writeUInt32BE(own.readUInt32BE(at) + shift, at);
    if (containers.has(type)) move(own, shift);
  }
}

/** The same box without times of day, and with a list of the frames a player may begin at: else it takes all for such. */
function rebuilt({ type, bytes }: Box, frames: Buffer): Buffer {
  if (timed.has(type)) {
    const copy = Buffer.from(bytes);
    return copy.fill(0, 12, copy[8] === 1 ? 28 : 20);
  }
  if (!containers.has(type)) return bytes;
  const inner = [...boxesOf(bytes, 8)];
  const parts = inner.map((each) => rebuilt(each, frames));
  const sizes = inner.find((each) => each.type === 'stsz');
  if (sizes !== undefined) parts.push(keyFrames(sizes.bytes, frames));
  return box(type, ...parts);
}

/** `stss`. `sizes`: the box `stsz`; `frames`: one after the other, in units of H.264 with their lengths before them. */
function keyFrames(sizes: Buffer, frames: Buffer): Buffer {
  const found: number[] = [];
  const count = sizes.readUInt32BE(16);
  let from = 0;
  for (let frame = 0; frame < count; frame++) {
    const end = from + (sizes.readUInt32BE(12) || sizes.readUInt32BE(20 + 4 * frame));
    let isKey = false;
    for (let at = from; at + 4 < end; at += 4 + frames.readUInt32BE(at))
      if (((frames[at + 4] ?? 0) & 31) === keyUnit) isKey = true;
    if (isKey) found.push(frame + 1);
    from = end;
  }
  const numbers = Buffer.alloc(8 + 4 * found.length);
  for (const [at, number] of [found.length, ...found].entries()) numbers.writeUInt32BE(number, 4 + 4 * at);
  return box('stss', numbers);
}

/** `texts`: by their four-letter names of iTunes, like `©cmt`. */
export function settledMp4(encoded: Uint8Array, texts: Readonly<Record<string, string>>): Buffer {
  const file = Buffer.from(encoded);
  const found = new Map([...boxesOf(file)].map((each) => [each.type, each]));
  const [head, index, frames] = ['ftyp', 'moov', 'mdat'].map((type) => found.get(type));
  if (head === undefined || index === undefined || frames === undefined)
    throw new Error('the encoder wrote no MP4');
  const moov = box('moov', rebuilt(index, frames.bytes.subarray(8)).subarray(8), said(texts));
  move(moov, head.bytes.length + moov.length - (frames.bytes.byteOffset - file.byteOffset));
  return Buffer.concat([head.bytes, moov, frames.bytes]);
}
