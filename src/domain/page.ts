/** A stretch of a list in its own order: so many, after this place. */
export interface Stretch<Place> {
  readonly after?: Place | undefined;
  readonly limit: number;
}

/** Where something stands in a list ordered by creation, then id. */
export type CreationPlace = readonly [createdAt: number, id: string];
