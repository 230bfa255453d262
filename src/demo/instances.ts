import type { Profile } from './profiles.js';

export interface DemoInstance {
  readonly name: string;
  readonly profile: Profile;
  /** How it fares, for people. */
  readonly state: string;
}

/** The databases of the demo's customer. */
export const demoInstances: readonly DemoInstance[] = [
  { name: 'orders', profile: 'healthy', state: 'healthy' },
  { name: 'recommendations', profile: 'busy', state: 'busy, within its means' },
  { name: 'fraud-detection', profile: 'faulty', state: 'faulty: too small for its work' },
];
