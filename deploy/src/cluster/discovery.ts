const VERBS = ['create', 'delete', 'get', 'list', 'patch', 'watch'];

function resources(groupVersion: string, ...list: { name: string; kind: string }[]): object {
  const group = { kind: 'APIResourceList', apiVersion: 'v1', groupVersion };
  return {
    ...group,
    resources: list.map((one) => ({
      ...one,
      singularName: one.kind.toLowerCase(),
      namespaced: true,
      verbs: VERBS,
    })),
  };
}

const APPS = { groupVersion: 'apps/v1', version: 'v1' };
const BATCH = { groupVersion: 'batch/v1', version: 'v1' };

/** No schema of its own; only that the server looks for unknown fields itself, so that `kubectl create` need not. */
const BATCH_SCHEMA = {
  openapi: '3.0.0',
  info: { title: 'recording', version: 'v1' },
  paths: {
    '/apis/batch/v1/namespaces/{namespace}/jobs/{name}': {
      patch: {
        'x-kubernetes-group-version-kind': { group: 'batch', version: 'v1', kind: 'Job' },
        parameters: [{ name: 'fieldValidation', in: 'query', schema: { type: 'string' } }],
        responses: {},
      },
    },
  },
};

/** What the cluster says it has, by the path where a client asks. */
export const DISCOVERY: Readonly<Record<string, object>> = {
  '/version': { major: '1', minor: '30', gitVersion: 'v1.30.0' },
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: [
      { name: 'apps', versions: [APPS], preferredVersion: APPS },
      { name: 'batch', versions: [BATCH], preferredVersion: BATCH },
    ],
  },
  '/openapi/v3': { paths: { 'apis/batch/v1': { serverRelativeURL: '/openapi/v3/apis/batch/v1' } } },
  '/openapi/v3/apis/batch/v1': BATCH_SCHEMA,
  '/api/v1': resources(
    'v1',
    { name: 'pods', kind: 'Pod' },
    { name: 'pods/log', kind: 'Pod' },
    { name: 'secrets', kind: 'Secret' },
  ),
  '/apis/batch/v1': resources(
    'batch/v1',
    { name: 'cronjobs', kind: 'CronJob' },
    { name: 'jobs', kind: 'Job' },
  ),
  '/apis/apps/v1': resources(
    'apps/v1',
    { name: 'deployments', kind: 'Deployment' },
    { name: 'deployments/scale', kind: 'Scale' },
  ),
};
