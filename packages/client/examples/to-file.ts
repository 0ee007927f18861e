/** Uploads of every kind: bytes, a Blob, a Response, a generator; with a name that tells their format. */
// prints: sound.wav audio/wav 4
// prints: data:audio/wav;base64,UklGRg==
import { toDataURL, toFile } from '@indoxhub/client';

const bytes = new TextEncoder().encode('RIFF');
const file = await toFile(bytes, 'sound.wav', { type: 'audio/wav' });
console.log(file.name, file.type, file.size);
console.log(await toDataURL(file));
