/** What each OpenAI-speaking vendor serves beside chat: a row in the modality's own file. */
import type { Provider } from '../provider.ts';
import { cohereEmbedding } from '../cohere-embeddings.ts';
import { embeddingCodecOf } from './embeddings.ts';
import { imageCodecOf } from './images.ts';
import { speechCodecOf } from './speech.ts';
import { openaiVideo } from './videos.ts';
import { xaiSpeech } from '../xai-speech.ts';
import { xaiVideo } from '../xai-videos.ts';
import { transcriptionCodecOf, translationCodecOf } from './transcriptions.ts';

type Media = Pick<Provider, 'embedding' | 'image' | 'speech' | 'transcription' | 'translation' | 'video'>;

export function mediaOf(vendor: string): Media {
  const embedding = vendor === 'cohere' ? cohereEmbedding : embeddingCodecOf(vendor);
  const media: { -readonly [Name in keyof Media]: Media[Name] } = {};
  if (embedding !== undefined) media.embedding = embedding;
  const image = imageCodecOf(vendor);
  if (image !== undefined) media.image = image;
  const speech = vendor === 'xai' ? xaiSpeech : speechCodecOf(vendor);
  if (speech !== undefined) media.speech = speech;
  const transcription = transcriptionCodecOf(vendor);
  if (transcription !== undefined) media.transcription = transcription;
  const translation = translationCodecOf(vendor);
  if (translation !== undefined) media.translation = translation;
  if (vendor === 'openai' || vendor === 'openai-compatible') media.video = openaiVideo;
  if (vendor === 'xai') media.video = xaiVideo;
  return media;
}
