/** The exchange of an API key for a token, as the Python client makes it when it is constructed. */
import { endpoints } from '../../contract/endpoints.ts';
import { GatewayError } from '../../contract/errors.ts';
import type { Gateway } from '../../core/gateway.ts';
import { tokenLifetime } from '../../core/tokens.ts';
import { readBytes } from '../body.ts';
import { mount, type App, type AppContext } from '../route.ts';

const maxFormBytes = 8_192;

async function exchange(context: AppContext, gateway: Gateway, apiKey: string): Promise<Response> {
  if (apiKey === '') throw new GatewayError('missing_api_key');
  const { key } = await gateway.keys.byKey(apiKey);
  const token = await gateway.tokens.issue(key.id);
  const secure = gateway.settings.publicUrl?.startsWith('https:') === true ? '; Secure' : '';
  context.header(
    'set-cookie',
    `access_token=${token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${tokenLifetime}${secure}`,
  );
  return context.json({ access_token: token, token_type: 'bearer', expires_in: tokenLifetime });
}

export function authRoutes(app: App, gateway: Gateway): void {
  mount(app, gateway, endpoints.apiKeyExchange, (context) =>
    exchange(context, gateway, context.req.header('x-api-key') ?? ''),
  );
  mount(app, gateway, endpoints.tokenExchange, async (context) => {
    const bytes = await readBytes(context.env.incoming, maxFormBytes);
    const form = new URLSearchParams(bytes.toString('utf8'));
    return exchange(context, gateway, form.get('password') ?? '');
  });
}
