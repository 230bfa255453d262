import { defaultStatus, type OAuthErrorCode } from '../../auth/oauth-error.js';
import { answers, type ProblemCode } from '../error-codes.js';
import type { ErrorEntry } from './entry.js';
import { problemErrors } from './problem-errors.js';
import { tokenErrors } from './token-errors.js';

/** Every code an error body can name; also the anchor of its entry. */
export type ErrorTopic = ProblemCode | OAuthErrorCode;

export interface ErrorChapter {
  readonly id: string;
  readonly title: string;
  readonly entries: readonly (readonly [ErrorTopic, ErrorEntry])[];
}

export const statusOfTopic = (topic: ErrorTopic): number =>
  topic in answers ? answers[topic as ProblemCode].status : defaultStatus[topic as OAuthErrorCode];

export const errorEntries: Readonly<Record<ErrorTopic, ErrorEntry>> = { ...tokenErrors, ...problemErrors };

const entriesOf = (table: Partial<Record<ErrorTopic, ErrorEntry>>) =>
  Object.entries(table) as (readonly [ErrorTopic, ErrorEntry])[];

export const errorChapters: readonly ErrorChapter[] = [
  { id: 'tokens', title: 'No token is given', entries: entriesOf(tokenErrors) },
  { id: 'requests', title: 'A page, push or other request is refused', entries: entriesOf(problemErrors) },
];
