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

export const isTouched = (
  touched: Touched | undefined,
  { id, projectId }: { id: string; projectId: string },
): boolean => touched === undefined || touched.ids.has(id) || touched.projectIds.has(projectId);
