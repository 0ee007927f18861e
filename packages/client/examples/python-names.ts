/** The names of the Python client's methods. */
// prints: 2 + 2 = 4
// prints: hi
// prints: 512
// prints: completed
import { Client } from '@indoxhub/client';

const client = new Client();
console.log(
  (await client.chat([{ role: 'user', content: 'What is 2 + 2?' }], { model: 'local/sandbox' })).data,
);
console.log((await client.completion('echo hi', { model: 'local/sandbox' })).data);
console.log(await client.stopCompletionStream('none'), await client.stopChatStream('none'));
console.log((await client.embeddings('hello')).dimensions);
console.log((await client.images('A fox', { size: '64x64' })).data.length, 'picture');

const { data } = await client.textToSpeech('hello world', { response_format: 'wav' });
console.log((await client.speechToText(fetch(data.audio_url))).text);
console.log((await client.translateAudio(fetch(data.audio_url))).text);

const { data: video } = await client.videos('A fox runs', { model: 'openai/sora-2', duration: 4 });
console.log((await client.getVideoJobStatus(video.job_id)).status);
console.log((await client.waitForVideoJob(video.job_id)).status);
console.log((await client.listVideoJobs({ limit: 1 })).total, 'jobs');
const { data: other } = await client.videos('A fox [forever]', { model: 'openai/sora-2', duration: 4 });
console.log((await client.cancelVideoJob(other.job_id)).status);

console.log((await client.models()).length, 'providers');
console.log((await client.getModelInfo('local', 'sandbox')).name);
console.log((await client.trendingModels({ days: 1 })).length > 0);
console.log((await client.getUsage()).total_requests > 0);
