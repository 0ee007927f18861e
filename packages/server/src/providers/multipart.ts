/** multipart/form-data for vendors: fields and one or more files, streamed, of known length. */
import { randomBytes } from 'node:crypto';
import type { StreamedBody } from './provider.ts';

export interface FilePart {
  readonly name: string;
  readonly fileName: string;
  readonly contentType: string;
  readonly bytes: number;
  read(): AsyncIterable<Buffer>;
}

/** Parameters as fields: a list as one field each, anything but text as JSON. */
export function fieldsOf(params: Readonly<Record<string, unknown>>): [string, string][] {
  return Object.entries(params).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as unknown[]) : [value]).map((each): [string, string] => [
      name,
      typeof each === 'string' ? each : JSON.stringify(each),
    ]),
  );
}

type Part = readonly [name: string, value: string] | FilePart;

const escaped = (text: string): string =>
  text.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

/** A body, and the content type that says where its parts end. */
export function multipart(parts: readonly Part[]): {
  readonly contentType: string;
  readonly body: StreamedBody;
} {
  const boundary = `indoxhub-${randomBytes(16).toString('hex')}`;
  const end = Buffer.from(`--${boundary}--\r\n`);
  const pieces = parts.map((part): { head: Buffer; file: FilePart | null } => {
    if ('read' in part) {
      const head =
        `--${boundary}\r\ncontent-disposition: form-data; name="${escaped(part.name)}"; filename="${escaped(part.fileName)}"\r\n` +
        `content-type: ${part.contentType.replaceAll(/[\r\n]/g, '')}\r\n\r\n`;
      return { head: Buffer.from(head), file: part };
    }
    const [name, value] = part;
    return {
      head: Buffer.from(
        `--${boundary}\r\ncontent-disposition: form-data; name="${escaped(name)}"\r\n\r\n${value}\r\n`,
      ),
      file: null,
    };
  });
  const newline = Buffer.from('\r\n');
  let bytes = end.length;
  for (const { head, file } of pieces)
    bytes += head.length + (file === null ? 0 : file.bytes + newline.length);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: {
      bytes,
      async *chunks() {
        for (const { head, file } of pieces) {
          yield head;
          if (file === null) continue;
          yield* file.read();
          yield newline;
        }
        yield end;
      },
    },
  };
}
