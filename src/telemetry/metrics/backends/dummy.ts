import { z } from 'zod';
import { backendKind } from '../backend.js';

/** Takes nothing and costs nothing. */
export const dummy = backendKind({
  type: 'dummy',
  options: z.strictObject({}),
  readsRegistry: false,
  sends: false,
  open: () => ({}),
});
