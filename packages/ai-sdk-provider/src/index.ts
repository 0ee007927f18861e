/** `@indoxhub/ai-sdk-provider`: what is public. */
export { createIndoxHub, indoxhub, type IndoxHubProvider } from './provider.ts';
export type { IndoxHubMetadata, IndoxHubOptions, IndoxHubSettings } from './settings.ts';
