/** Uploads of every kind: a path, bytes, a Blob, a Response, a generator; with a name that tells their format. */
// prints: sound.wav audio/wav 4
// prints: to-file.ts
// prints: data:audio/wav;base64,UklGRg==
import { toDataURL, toFile } from '@indoxhub/client';

const bytes = new TextEncoder().encode('RIFF');
const file = await toFile(bytes, 'sound.wav', { type: 'audio/wav' });
console.log(file.name, file.type, file.size);
console.log((await toFile(import.meta.filename)).name);
console.log(await toDataURL(file));
