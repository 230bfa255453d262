/** A named condition of readiness; throws or rejects with the reason when it does not hold. */
export interface ReadyCheck {
  readonly name: string;
  readonly check: () => Promise<void> | void;
}

/** Asks all, one after the other; gives why by name, for those that do not hold. */
export async function failing(checks: readonly ReadyCheck[]): Promise<Map<string, string>> {
  const reasons = new Map<string, string>();
  for (const { name, check } of checks) {
    try {
      await check();
    } catch (error) {
      reasons.set(name, (error as Error).message);
    }
  }
  return reasons;
}
