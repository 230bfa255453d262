import type { TestProject } from 'vitest/node';
import { compileWeir } from '../support/compile-weir.js';
import { Programs } from '../support/programs.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** `weir.js`, compiled from the tree as it is now. */
    weir: string;
  }
}

/** Once for all files: they only read it. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const programs = new Programs();
  provide('weir', await compileWeir(programs));
  return () => programs.end();
}
