/** Everything that can be uploaded, made into one File. */
import { IndoxHubError } from './errors.ts';

/** Something that can be read as bytes, piece by piece: a Node.js read stream, a web stream, a generator. */
export type ByteSource = AsyncIterable<Uint8Array | string> & { readonly path?: unknown };

/** A string is the path of a file, where there are files: on Node.js, Bun and Deno. */
export type Uploadable =
  | string
  | Blob
  | Response
  | ArrayBuffer
  | ArrayBufferView
  | ByteSource
  | Promise<string | Blob | Response | ArrayBuffer | ArrayBufferView | ByteSource>;

/** What a Blob is made of. */
type Part = string | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>;

const baseName = (path: unknown): string | undefined =>
  typeof path === 'string' && path !== '' ? path.split(/[\\/]/).pop()?.split('?')[0] || undefined : undefined;

interface Platform {
  readonly process?: {
    getBuiltinModule?(
      name: 'node:fs/promises',
    ): { readFile(path: string): Promise<Uint8Array<ArrayBuffer>> } | undefined;
  };
}

/** Asked of the platform, because an import would have to be resolved in browsers, too. */
async function readPath(path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (/^(https?|data|blob):/i.test(path))
    throw new IndoxHubError('A string is the path of a file. For a URL, give fetch(url)');
  const files = (globalThis as Platform).process?.getBuiltinModule?.('node:fs/promises');
  if (files === undefined)
    throw new IndoxHubError(
      'There are no files on this platform: give a Blob, bytes or a Response instead of a path',
    );
  return files.readFile(path).catch((cause: unknown) => {
    throw new IndoxHubError(`The file ${path} could not be read`, { cause });
  });
}

/**
 * Makes a File of a path, a Blob, bytes, a read stream, a fetch Response or a generator of bytes. The name tells the
 * provider the format, so give one where the source has none. A path from a stranger reads any file of yours.
 *
 * @example
 * const file = await toFile('recordings/speech.mp3');
 * const other = await toFile(bytes, 'speech.wav', { type: 'audio/wav' });
 */
export async function toFile(
  source: Uploadable,
  name?: string,
  options: { readonly type?: string } = {},
): Promise<File> {
  const value = await source;
  if (typeof value === 'string') return named([await readPath(value)], name ?? baseName(value), options.type);
  if (value instanceof Blob) {
    const known = 'name' in value ? baseName(value.name) : undefined;
    return named([value], name ?? known, options.type ?? value.type);
  }
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value))
    return named([value as Part], name, options.type);
  if (value instanceof Response)
    return named([await value.blob()], name ?? baseName(value.url), options.type ?? typeOf(value));
  if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value) {
    const parts: Part[] = [];
    for await (const part of value) parts.push(part as Part);
    return named(parts, name ?? baseName(value.path), options.type);
  }
  throw new IndoxHubError(
    'A file must be a path, a Blob, bytes, a read stream, a Response or an async iterable of bytes',
  );
}

const typeOf = (response: Response): string => response.headers.get('content-type') ?? '';

function named(parts: Part[], name: string | undefined, type: string | undefined): File {
  return new File(parts, name ?? 'upload', type === undefined || type === '' ? {} : { type });
}

/**
 * A `data:` URL, for the pictures of chats and videos.
 *
 * @example
 * await client.videos.create({ prompt: 'It wakes up', input_image: await toDataURL(fs.createReadStream('fox.png'), 'image/png') });
 */
export async function toDataURL(source: Uploadable, type?: string): Promise<string> {
  const file = await toFile(source);
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x8000)
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return `data:${type ?? (file.type || 'application/octet-stream')};base64,${btoa(binary)}`;
}

/** Fields and one file as a form; lists are written as JSON. */
export async function toForm(fields: Readonly<Record<string, unknown>>): Promise<FormData> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null || name === 'file') continue;
    form.append(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  form.append('file', await toFile(fields['file'] as Uploadable));
  return form;
}
