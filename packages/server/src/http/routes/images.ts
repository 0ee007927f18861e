/** Pictures on both surfaces, and edits. */
import { endpoints } from '../../contract/endpoints.ts';
import { badField } from '../../contract/errors.ts';
import type { InputImage } from '../../contract/media.ts';
import type { Gateway } from '../../core/gateway.ts';
import { imageType } from '../../core/image-type.ts';
import { serveImages } from '../../core/images.ts';
import { decodeNativeImage, encodeNativeImages } from '../../dialects/native/images.ts';
import {
  decodeOpenaiFormEdit,
  decodeOpenaiImage,
  decodeOpenaiJsonEdit,
  encodeOpenaiImages,
} from '../../dialects/openai/images.ts';
import { readBody } from '../body.ts';
import type { Door } from '../door.ts';
import { readForm, type Spool, type SpooledFile } from '../multipart.ts';

const maxPictures = 16;
const fileFields = new Set(['image', 'image[]', 'mask']);

async function pictureOf(file: SpooledFile): Promise<InputImage> {
  const chunks: Buffer[] = [];
  for await (const chunk of file.read()) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const contentType = imageType(bytes);
  const param = file.field === 'mask' ? 'mask' : 'image';
  if (contentType === null) throw badField(param, `Invalid value for '${param}': is no picture`);
  return { bytes, contentType, fileName: file.fileName };
}

export function imageDoors(gateway: Gateway, spool: Spool): Door[] {
  const body = (incoming: Parameters<Door['serve']>[1]): Promise<Buffer> =>
    readBody(incoming, gateway.settings.maxBodyBytes);
  const native: Door = {
    endpoint: endpoints.images,
    kind: 'image',
    async serve(call, incoming) {
      const bytes = await body(incoming);
      return serveImages(
        gateway,
        call,
        decodeNativeImage(bytes),
        bytes.toString('latin1'),
        (images, _, facts) => encodeNativeImages(images, facts),
      );
    },
  };
  const openai = (endpoint: Door['endpoint']): Door => ({
    endpoint,
    kind: 'image',
    async serve(call, incoming) {
      const bytes = await body(incoming);
      return serveImages(
        gateway,
        call,
        decodeOpenaiImage(bytes),
        bytes.toString('latin1'),
        encodeOpenaiImages,
      );
    },
  });
  const edit = (endpoint: Door['endpoint']): Door => ({
    endpoint,
    kind: 'image',
    async serve(call, incoming) {
      if (!/^multipart\//i.test(incoming.headers['content-type'] ?? '')) {
        const bytes = await body(incoming);
        return serveImages(
          gateway,
          call,
          decodeOpenaiJsonEdit(bytes),
          bytes.toString('latin1'),
          encodeOpenaiImages,
        );
      }
      const { maxUploadBytes: maxFileBytes } = gateway.settings;
      const form = await readForm(incoming, spool, { maxFileBytes, maxFiles: maxPictures + 1, fileFields });
      try {
        const mask = form.files.find(({ field }) => field === 'mask');
        const images = form.files.filter(({ field }) => field !== 'mask');
        const request = decodeOpenaiFormEdit(form.fields, {
          images: await Promise.all(images.map(pictureOf)),
          mask: mask === undefined ? null : await pictureOf(mask),
        });
        const fields = JSON.stringify([...form.fields]);
        return await serveImages(gateway, call, request, fields, encodeOpenaiImages);
      } finally {
        await form.dispose();
      }
    },
  });
  return [
    native,
    openai(endpoints.openaiImages),
    openai(endpoints.rootImages),
    edit(endpoints.openaiImageEdits),
    edit(endpoints.rootImageEdits),
  ];
}
