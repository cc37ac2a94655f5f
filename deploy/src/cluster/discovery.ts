const VERBS = ['get', 'list', 'patch', 'watch'];

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

/** What the cluster says it has, by the path where a client asks. */
export const DISCOVERY: Readonly<Record<string, object>> = {
  '/version': { major: '1', minor: '30', gitVersion: 'v1.30.0' },
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: [{ name: 'apps', versions: [APPS], preferredVersion: APPS }],
  },
  '/api/v1': resources('v1', { name: 'pods', kind: 'Pod' }, { name: 'pods/log', kind: 'Pod' }),
  '/apis/apps/v1': resources(
    'apps/v1',
    { name: 'deployments', kind: 'Deployment' },
    { name: 'deployments/scale', kind: 'Scale' },
  ),
};
