import { adminSchemas } from '@sanctum/protocol/admin';
import { openapiDocument } from '../openapi-document.ts';
import { adminRouteList } from './admin-operations.ts';

/** OpenAPI 3.1 of the admin API. */
export const adminOpenapi = openapiDocument({
  title: 'Sanctum Messaging: admin',
  description:
    'What operators see and do; port 8084, scope `messaging:operate`. No answer holds a message’s content. Every change is audited.',
  routes: adminRouteList,
  isGuarded: () => true,
  schemas: adminSchemas,
});
