/**
 * multipart/form-data, read as it comes: fields with limits, files onto the disk under names of our own. Nothing a client
 * says ever becomes a path.
 */
import { randomBytes } from 'node:crypto';
import { createReadStream, mkdirSync, rmSync } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { basename, join } from 'node:path';
import type { BusboyFileStream, BusboyInstance } from '@fastify/busboy';
import { badField, GatewayError } from '../contract/errors.ts';
import type { Upload } from '../contract/media.ts';
import { beginReading, endReading } from './pace.ts';

export interface Form {
  /** Every value of every field, in order; `name[]` is kept as written. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly files: readonly SpooledFile[];
  /** Deletes the files. */
  dispose(): Promise<void>;
}

export interface SpooledFile extends Upload {
  readonly field: string;
  /** Where it lies, for a library that reads files. */
  readonly path: string;
}

export interface FormLimits {
  readonly maxFileBytes: number;
  readonly maxFiles: number;
  /** Names a file may come under. */
  readonly fileFields: ReadonlySet<string>;
}

const maxFields = 200;
const maxFieldBytes = 1024 * 1024;
/** Of all text fields together, their names counted. */
const maxTextBytes = 2 * 1024 * 1024;
/** A client that sends nothing for so long is given up; the whole may take as long as its pace is no crawl. */
const idleMs = 30_000;
const maxNameLength = 200;
/** RFC 2046. */
const maxBoundaryLength = 70;
/** Boundaries and the heads of parts. */
const maxFramingBytes = 64 * 1024;

/** Where uploads lie while their call runs; what a killed process left is deleted when the next one starts. */
export class Spool {
  readonly dir: string;

  constructor(dataDir: string) {
    this.dir = join(dataDir, 'spool');
  }

  clear(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  async create(): Promise<{ file: FileHandle; path: string }> {
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    const path = join(this.dir, randomBytes(16).toString('hex'));
    return { file: await open(path, 'wx', 0o600), path };
  }
}

/** A name fit to be handed on: no folders, no control characters, not too long. */
function safeName(name: string | undefined): string {
  const last = basename((name ?? '').replaceAll('\\', '/'))
    .replaceAll(/[\p{Cc}"]/gu, '')
    .slice(-100);
  return last === '' || last === '.' || last === '..' ? 'audio' : last;
}

/** Throws a 400 that names the field, 413 for what is too large, 415 for what is no form. */
export async function readForm(incoming: IncomingMessage, spool: Spool, limits: FormLimits): Promise<Form> {
  const type = incoming.headers['content-type'] ?? '';
  if (!/^multipart\/form-data\s*;/i.test(type))
    throw new GatewayError('unsupported_media_type', 'Send the request as multipart/form-data.');
  if (
    incoming.headers['content-encoding'] !== undefined &&
    incoming.headers['content-encoding'] !== 'identity'
  )
    throw new GatewayError('unsupported_media_type', 'Compressed request bodies are not accepted.');
  const declared = Number(incoming.headers['content-length'] ?? 0);
  if (declared > mostBytes(limits)) throw tooLarge(limits);

  const reader = new FormReader(spool, limits);
  try {
    await reader.read(incoming, type);
  } catch (error) {
    await reader.dispose();
    throw error;
  }
  return reader;
}

/** A form of which everything is as large as it may be. */
const mostBytes = ({ maxFileBytes, maxFiles }: FormLimits): number =>
  maxFileBytes * maxFiles + maxTextBytes + maxFramingBytes;

const tooLarge = ({ maxFileBytes }: FormLimits): GatewayError =>
  new GatewayError('body_too_large', `A file may have at most ${maxFileBytes} bytes.`, { param: 'file' });

class FormReader implements Form {
  readonly fields = new Map<string, string[]>();
  readonly files: SpooledFile[] = [];
  private readonly spool: Spool;
  private readonly limits: FormLimits;
  private readonly paths: string[] = [];
  /** In the order of their arrival; they may end in another. */
  private readonly writing: Promise<SpooledFile>[] = [];
  private readonly streams: BusboyFileStream[] = [];
  private textBytes = 0;

  constructor(spool: Spool, limits: FormLimits) {
    this.spool = spool;
    this.limits = limits;
  }

  async dispose(): Promise<void> {
    await Promise.allSettled(this.writing);
    await Promise.all(this.paths.map((path) => rm(path, { force: true })));
  }

  async read(incoming: IncomingMessage, contentType: string): Promise<void> {
    const parser = await createParser(contentType, this.limits);
    await new Promise<void>((resolve, reject) => {
      const fail = (error: Error): void => {
        clearTimeout(timer);
        endReading(reading);
        incoming.unpipe(parser);
        // What waits for more of a file waits no longer.
        for (const stream of this.streams) stream.destroy();
        // Nobody reads the rest: that is no use to anybody, however much it is.
        incoming.pause();
        reject(error);
      };
      const timer = setTimeout(
        () => fail(new GatewayError('bad_request', 'The upload stalled.', { param: 'file' })),
        idleMs,
      );
      const reading = beginReading(Number.POSITIVE_INFINITY, fail);
      incoming.on('data', (chunk: Buffer) => {
        timer.refresh();
        reading.bytes += chunk.length;
        if (reading.bytes > mostBytes(this.limits)) fail(tooLarge(this.limits));
      });
      parser.on('field', (name, value, nameCut, valueCut) => {
        if (nameCut || valueCut || name.length > maxNameLength)
          return fail(badField(name.slice(0, 100), `'${name.slice(0, 100)}' is too long`));
        this.textBytes += Buffer.byteLength(name) + Buffer.byteLength(value);
        if (this.textBytes > maxTextBytes)
          return fail(
            new GatewayError(
              'body_too_large',
              `The text fields may have at most ${maxTextBytes} bytes together.`,
              { param: name.slice(0, 100) },
            ),
          );
        const values = this.fields.get(name);
        if (values === undefined) this.fields.set(name, [value]);
        else values.push(value);
      });
      parser.on('file', (field, stream, fileName, _encoding, mimeType) => {
        if (!this.limits.fileFields.has(field)) {
          stream.resume();
          return fail(badField(field, `'${field.slice(0, 100)}' is no file of this request`));
        }
        const saved = this.save(field, stream, safeName(fileName), mimeType);
        this.writing.push(saved);
        stream.on('limit', () => fail(tooLarge(this.limits)));
        saved.catch(fail);
      });
      parser.on('partsLimit', () => fail(badField('body', 'The form has too many parts')));
      parser.on('fieldsLimit', () => fail(badField('body', 'The form has too many fields')));
      parser.on('filesLimit', () =>
        fail(badField('file', `At most ${this.limits.maxFiles} files are taken`)),
      );
      parser.on('error', () => fail(badField('body', 'The form cannot be read: it is cut off or malformed')));
      parser.on('finish', () => {
        clearTimeout(timer);
        endReading(reading);
        Promise.all(this.writing)
          .then((files) => this.files.push(...files))
          .then(() => resolve(), fail);
      });
      incoming.on('aborted', () => fail(new GatewayError('bad_request', 'The request body was cut off.')));
      incoming.on('error', () => fail(new GatewayError('bad_request', 'The request body was cut off.')));
      incoming.pipe(parser);
    });
  }

  private async save(
    field: string,
    stream: BusboyFileStream,
    fileName: string,
    contentType: string,
  ): Promise<SpooledFile> {
    // An error of the parser ends this stream, too, and is told there.
    stream.on('error', () => {});
    this.streams.push(stream);
    const { file, path } = await this.spool.create();
    this.paths.push(path);
    let bytes = 0;
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        await file.writeFile(chunk);
      }
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw code === 'ENOSPC' || code === 'EDQUOT'
        ? new GatewayError('media_store_unavailable', 'There is no room for the upload.', { cause })
        : badField(field, `The file in '${field}' was cut off`);
    } finally {
      await file.close();
    }
    if (stream.truncated) throw tooLarge(this.limits);
    if (bytes === 0) throw badField(field, `The file in '${field}' is empty`);
    const read = (): AsyncIterable<Buffer> => createReadStream(path);
    return { field, fileName, contentType, bytes, path, read };
  }
}

async function createParser(
  contentType: string,
  { maxFileBytes, maxFiles }: FormLimits,
): Promise<BusboyInstance> {
  const [, boundary = ''] = /boundary=(?:"([^"]*)"|([^;\s]*))/i.exec(contentType)?.filter(Boolean) ?? [];
  if (boundary.length > maxBoundaryLength)
    throw badField('body', `The multipart boundary has more than ${maxBoundaryLength} characters.`);
  // Loaded for the first form.
  const { Busboy } = await import('@fastify/busboy');
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: {
        fileSize: maxFileBytes,
        files: maxFiles,
        fields: maxFields,
        parts: maxFields + maxFiles,
        fieldSize: maxFieldBytes,
        fieldNameSize: maxNameLength,
        headerPairs: 50,
      },
    });
  } catch (cause) {
    throw new GatewayError('bad_request', 'The multipart boundary is missing.', { param: 'body', cause });
  }
}
