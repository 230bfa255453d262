import type { VerifiedToken } from '../../auth/access-token.js';
import { WeirError } from '../../domain/errors.js';
import { isManagementScope, type ManagementScope, type Scope } from '../../domain/scopes.js';

/** Whose token it is, and how far it reaches. */
export class Caller {
  readonly clientId: string;
  /** null for the operator, who reaches everything. */
  readonly projectId: string | null;
  private readonly scopes: readonly Scope[];

  constructor({ clientId, projectId, scopes }: Pick<VerifiedToken, 'clientId' | 'projectId' | 'scopes'>) {
    this.clientId = clientId;
    this.projectId = projectId;
    this.scopes = scopes;
  }

  requireScope(scope: ManagementScope): void {
    if (this.scopes.includes(scope)) return;
    const sentence = `The token needs the scope ${scope}; it has: ${this.scopes.join(' ')}.`;
    throw new WeirError('insufficient_scope', sentence, { scope });
  }

  /** Refuses what is of another project; what is of the operator's (null) only operators reach. */
  requireReach(projectId: string | null, field?: string): void {
    if (this.projectId !== null && this.projectId !== projectId) throw outOfReach(field);
  }

  /**
   * Whoever gives out credentials of a client gives out its scopes. Those of the management API the token must have
   * itself; nobody can make a client that may do more to others than he may.
   */
  requireToPassOn(scopes: readonly Scope[]): void {
    const lacking = scopes.filter((scope) => isManagementScope(scope) && !this.scopes.includes(scope));
    if (lacking.length === 0) return;
    const sentence = `The token cannot give to others what it does not have itself: ${lacking.join(' ')}.`;
    throw new WeirError('insufficient_scope', sentence, { scope: lacking.join(' ') });
  }
}

/** One answer for what is not there and for what is another's. */
export const outOfReach = (field?: string): WeirError =>
  new WeirError(
    'not_found',
    'There is nothing of that id, or this token does not reach it.',
    field === undefined ? {} : { field },
  );
