import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort, type Programs, type RunningProgram, type StartOptions } from './programs.js';

/** A program that listens on one address, with all that tells it from others of its kind. */
export interface ListeningOptions extends StartOptions {
  /** Its files bear it. */
  readonly name: string;
  readonly program: string;
  /** What stands in its configuration file, if it wants one. */
  readonly config?: string;
  readonly flags: (place: Place) => readonly string[];
  /** Where it answers well as soon as it is ready. */
  readonly readyPath: string;
}

/** Where one of them may be. */
export interface Place {
  /** `host:port` */
  readonly address: string;
  readonly configFile: string;
  readonly storageFolder: string;
}

export interface Listening {
  readonly url: string;
  readonly storageFolder: string;
  readonly running: RunningProgram;
}

/** Starts it on a free port; resolves when it is ready. */
export async function startListening(
  programs: Programs,
  { name, program, config, flags, readyPath, ...options }: ListeningOptions,
): Promise<Listening> {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const storageFolder = join(programs.folder, `${name}-${port}`);
  const configFile = `${storageFolder}.yml`;
  if (config !== undefined) writeFileSync(configFile, config);
  const running = programs.start(program, flags({ address, configFile, storageFolder }), options);
  const url = `http://${address}`;
  await eventually(`${name} to be ready`, async () => ((await fetch(`${url}${readyPath}`)).ok ? true : undefined), {
    during: running,
  });
  return { url, storageFolder, running };
}
