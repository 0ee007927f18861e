/** Stage 2, resolve: the model a caller named, if its key may use it. */
import type { Capability } from '../contract/catalogue.ts';
import { GatewayError } from '../contract/errors.ts';
import type { CallRequest } from '../contract/request.ts';
import type { Incoming } from './call-types.ts';
import type { Gateway } from './gateway.ts';
import type { Resolved } from './models.ts';

/** Throws 400, 403 and 404 naming `model`. */
export function resolve(
  gateway: Gateway,
  call: Incoming,
  request: CallRequest,
  capability: Capability,
): Resolved {
  const resolved = gateway.models.resolve(request.model, request.providerField, capability, {
    byok: request.byokKey !== null,
  });
  const { allowedModels } = call.credential.key;
  const isAllowed =
    allowedModels === null ||
    allowedModels.some(
      (each) =>
        each === '*' ||
        each === resolved.id ||
        (each.endsWith('/*') && resolved.id.startsWith(each.slice(0, -1))),
    );
  if (!isAllowed)
    throw new GatewayError('model_not_allowed', `This API key may not use '${resolved.id}'.`, {
      param: 'model',
    });
  return resolved;
}
