import { httpSchemas } from '@sanctum/protocol/schemas';
import { openapiDocument } from './openapi-document.ts';
import { isGuarded, routeList } from './routes.ts';

/** OpenAPI 3.1 of the public HTTP server, made from the schemas that validate and the routes that are served. */
export const openapi = openapiDocument({
  title: 'Sanctum Messaging',
  description:
    'End-to-end encrypted messaging: the server sees ciphertext only. Errors are RFC 9457 problems with a stable `code`.',
  routes: routeList,
  isGuarded,
  schemas: httpSchemas,
});
