/** Any JSON object of the Kubernetes API. */
export type Json = Record<string, unknown>;

/** Lists whose elements are merged by a field of theirs, as the Kubernetes API documents it; others are replaced. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  env: 'name',
  ports: 'containerPort',
  volumes: 'name',
};

/**
 * A strategic merge patch, in what `kubectl set` sends of it: `null` removes, lists with a merge key are merged by
 * it, `$patch: delete` takes an element out, `$setElementOrder/LIST` gives their order.
 */
export function strategicMerge(target: Json, patch: Json): Json {
  const merged: Json = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$')) continue;
    if (value === null) delete merged[name];
    else if (Array.isArray(value)) merged[name] = mergeList(name, merged[name], value, patch);
    else if (isObject(value)) merged[name] = strategicMerge((merged[name] ?? {}) as Json, value);
    else merged[name] = value;
  }
  return merged;
}

function mergeList(name: string, target: unknown, patch: unknown[], siblings: Json): unknown[] {
  const key = MERGE_KEYS[name];
  if (key === undefined) return patch;
  const list = [...((target ?? []) as Json[])];
  for (const element of patch as Json[]) {
    const at = list.findIndex((candidate) => candidate[key] === element[key]);
    if (element['$patch'] === 'delete') list.splice(at, at < 0 ? 0 : 1);
    else if (at < 0) list.push(strategicMerge({}, element));
    else list[at] = strategicMerge(list[at] as Json, element);
  }
  const order = siblings[`$setElementOrder/${name}`] as Json[] | undefined;
  if (order === undefined) return list;
  const placeOf = (element: Json) => order.findIndex((one) => one[key] === element[key]);
  return list.sort((a, b) => placeOf(a) - placeOf(b));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}
