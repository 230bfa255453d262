/** Which of the things that belong to projects may have changed: those of these ids, and all of these projects. */
export interface Touched {
  readonly ids: ReadonlySet<string>;
  readonly projectIds: ReadonlySet<string>;
}

/** By what the change log says of things of this noun and of projects; `undefined` is all of them. */
export function touchedBy(
  changes: readonly { readonly noun: string; readonly id: string }[] | undefined,
  noun: string,
): Touched | undefined {
  if (changes === undefined) return undefined;
  const of = (wanted: string) => new Set(changes.flatMap((change) => (change.noun === wanted ? [change.id] : [])));
  return { ids: of(noun), projectIds: of('project') };
}

/** What the store has now of those that may have changed; one may come twice. `list` is of one project, or of all. */
export async function readTouched<Thing>(
  touched: Touched | undefined,
  { list, get }: { list(projectId?: string): Promise<Thing[]>; get(id: string): Promise<Thing | undefined> },
): Promise<Thing[]> {
  if (touched === undefined) return list();
  const byId = await Promise.all([...touched.ids].map((id) => get(id)));
  const byProject = await Promise.all([...touched.projectIds].map((id) => list(id)));
  return [...byId.filter((thing) => thing !== undefined), ...byProject.flat()];
}

export const isTouched = (
  touched: Touched | undefined,
  { id, projectId }: { id: string; projectId: string },
): boolean => touched === undefined || touched.ids.has(id) || touched.projectIds.has(projectId);
