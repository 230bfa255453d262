import { z } from '@hono/zod-openapi';
import { WeirError } from '../../domain/errors.js';
import type { Stretch } from '../../domain/page.js';

/** The query of every list that may be long. */
export const paging = {
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, 'a whole number from 1 to 200')
    .optional()
    .openapi({ type: 'integer', minimum: 1, maximum: 200, default: 50, description: 'How many at most.', example: 50 }),
  cursor: z
    .string()
    .max(500)
    .optional()
    .openapi({ description: 'The `next` of the answer before; left out for the beginning.' }),
};

export const next = z
  .string()
  .nullable()
  .openapi({ description: 'The `cursor` of the next page; null when this is the last.', example: null });

/** For the place of whatever is ordered by creation, then id. */
export const creationPlace = z.tuple([z.number(), z.string()]);
type CreationPlace = z.output<typeof creationPlace>;

interface Created {
  readonly createdAt: number;
  readonly id: string;
}

export const byCreation = ({ createdAt, id }: Created): CreationPlace => [createdAt, id];

/** A page that is asked for: read so much of the list, and cut it. */
export interface Page<Place> {
  /** One more than is shown, to see whether there is more. */
  readonly stretch: Stretch<Place>;
  cut<Item>(
    found: readonly Item[],
    placeOf: (item: Item) => Place,
  ): { readonly items: readonly Item[]; readonly next: string | null };
}

/**
 * The page a query asks for. A cursor holds the place of the last item, so that nothing is shown twice or left out when
 * others are added or deleted meanwhile.
 */
export function readPage<Place>(
  { limit = '50', cursor }: { limit?: string | undefined; cursor?: string | undefined },
  place: z.ZodType<Place>,
): Page<Place> {
  const count = Number(limit);
  const after = cursor === undefined ? undefined : readCursor(cursor, place);
  return {
    stretch: { after, limit: count + 1 },
    cut: (found, placeOf) => {
      const items = found.slice(0, count);
      return { items, next: found.length > count ? writeCursor(placeOf(items.at(-1)!)) : null };
    },
  };
}

/** The page of a list that was read as a whole, ordered by creation, then id. */
export function cutWhole<Item extends Created>({ stretch, cut }: Page<CreationPlace>, all: readonly Item[]) {
  const { after, limit } = stretch;
  const isAfter = ({ createdAt, id }: Created): boolean =>
    after === undefined || createdAt > after[0] || (createdAt === after[0] && id > after[1]);
  return cut(all.filter(isAfter).slice(0, limit), byCreation);
}

const writeCursor = (place: unknown): string => Buffer.from(JSON.stringify(place)).toString('base64url');

function readCursor<Place>(cursor: string, place: z.ZodType<Place>): Place {
  try {
    return place.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new WeirError('invalid', 'The cursor is not one of this list; leave it out to begin anew.', {
      field: 'cursor',
    });
  }
}
