/** OpenAPI 3.1, made from the endpoint table and the schemas that validate. */
import { z } from 'zod';
import { endpoints, type Endpoint } from '../contract/endpoints.ts';
import { errorTable } from '../contract/errors.ts';

type Json = Record<string, unknown>;

function parametersOf(endpoint: Endpoint): Json[] {
  const path = [...endpoint.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  if (endpoint.method !== 'GET' || endpoint.input === undefined) return path;
  const schema = z.toJSONSchema(endpoint.input, { io: 'input', unrepresentable: 'any' }) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  const query = Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    in: 'query',
    required: schema.required?.includes(name) ?? false,
    schema: property,
  }));
  return [...path, ...query];
}

const security: Readonly<Record<Endpoint['auth'], Json[]>> = {
  public: [],
  key: [{ apiKey: [] }],
  admin: [{ adminKey: [] }],
  admin_or_loopback: [{ adminKey: [] }],
};

/** The body, in each media type it may have. */
function bodyOf(method: string, schemas: Readonly<Record<string, z.ZodType | undefined>>): Json {
  const content: Json = {};
  for (const [type, schema] of Object.entries(schemas))
    if (schema !== undefined)
      content[type] = { schema: z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) };
  return method === 'GET' || Object.keys(content).length === 0
    ? {}
    : { requestBody: { required: true, content } };
}

function operation(name: string, endpoint: Endpoint): Json {
  const { tag, summary, input, form, streams, method } = endpoint;
  const isNative = !endpoint.path.startsWith('/v1');
  const error = {
    content: {
      'application/json': { schema: { $ref: `#/components/schemas/${isNative ? 'Error' : 'OpenAIError'}` } },
    },
  };
  const answer: Json = { 'application/json': { schema: { type: 'object' } } };
  if (streams === true) answer['text/event-stream'] = { schema: { type: 'string' } };
  return {
    operationId: name,
    tags: [tag],
    summary,
    security: security[endpoint.auth],
    parameters: parametersOf(endpoint),
    ...bodyOf(method, { 'application/json': input, 'multipart/form-data': form }),
    responses: {
      '200': { description: 'Success', content: answer },
      default: { description: 'An error of the error table', ...error },
    },
  };
}

export function openapiDocument(version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const [name, endpoint] of Object.entries<Endpoint>(endpoints)) {
    const path = endpoint.path.replaceAll(/:(\w+)(\{[^}]*\})?/g, '{$1}');
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(name, endpoint) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'IndoxHub',
      version,
      description: 'One API in front of every AI provider.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          description: 'An IndoxHub API key, or a token exchanged for one',
        },
        adminKey: { type: 'http', scheme: 'bearer', description: 'The admin key' },
      },
      schemas: {
        Error: {
          type: 'object',
          required: ['error', 'message', 'status_code', 'detail', 'success', 'request_id'],
          properties: {
            error: { enum: Object.keys(errorTable) },
            message: { type: 'string' },
            status_code: { type: 'integer' },
            details: { type: ['object', 'null'] },
            detail: { type: 'string' },
            success: { const: false },
            request_id: { type: 'string' },
            data: { const: '' },
          },
        },
        OpenAIError: {
          type: 'object',
          properties: {
            error: {
              type: 'object',
              properties: {
                message: { type: 'string' },
                type: { type: 'string' },
                param: { type: ['string', 'null'] },
                code: { enum: Object.keys(errorTable) },
              },
            },
          },
        },
      },
    },
  };
}
