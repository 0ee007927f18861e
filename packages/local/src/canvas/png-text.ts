import { crc32 } from 'node:zlib';

/** Signature and IHDR, which must come first. */
const headLength = 8 + 25;

/** The same PNG with text chunks, which image viewers and `exiftool` show. Keys and texts are Latin-1. */
export function withText(png: Uint8Array, texts: Readonly<Record<string, string>>): Uint8Array {
  const chunks = Object.entries(texts).map(([key, text]) => {
    const body = Buffer.from(`tEXt${key}\0${text}`, 'latin1');
    const chunk = Buffer.alloc(body.length + 8);
    chunk.writeUInt32BE(body.length - 4, 0);
    body.copy(chunk, 4);
    chunk.writeUInt32BE(crc32(body), body.length + 4);
    return chunk;
  });
  return new Uint8Array(Buffer.concat([png.subarray(0, headLength), ...chunks, png.subarray(headLength)]));
}
