import { z } from '@hono/zod-openapi';
import { endpointLimitNames } from '../../domain/endpoint-limits.js';
import { type LimitName, limitNames } from '../../domain/limits.js';

const limit = z.int().min(0).max(999_999_999_999_999);

const limitsOf = <Name extends LimitName, T extends z.ZodType>(names: readonly Name[], each: T) =>
  z.strictObject(Object.fromEntries(names.map((name) => [name, each.optional()])) as Record<Name, z.ZodOptional<T>>);

export const limits = limitsOf(limitNames, limit).openapi('Limits', {
  description: "Those that differ from the operator's configuration; 0 switches a limit off.",
});
export const limitChanges = limitsOf(limitNames, limit.nullable()).openapi('LimitChanges', {
  description: 'Those that are given are set; null takes one back to the configuration.',
});

export const endpointLimits = limitsOf(endpointLimitNames, limit.min(1)).openapi('EndpointLimits', {
  description: "Limits of its own. The project's hold beside them: the smaller counts.",
});
export const endpointLimitChanges = limitsOf(endpointLimitNames, limit.nullable()).openapi('EndpointLimitChanges', {
  description: "Those that are given are set; null or 0 takes one away, and the project's holds alone.",
});
