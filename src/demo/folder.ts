import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { OperatorError } from '../domain/errors.js';

/** Where a demo keeps its files: for the owner alone, because a client's secret is among them. */
export class DemoFolder {
  /** Absolute. */
  readonly path: string;
  private readonly made: boolean;

  private constructor(path: string, made: boolean) {
    this.path = path;
    this.made = made;
  }

  /** A new one among the temporary files, or the one named: made if need be, empty in any case. */
  static async open(dir: string | undefined): Promise<DemoFolder> {
    try {
      if (dir === undefined) return new DemoFolder(await mkdtemp(join(tmpdir(), 'weir-demo-')), true);
      const path = resolve(dir);
      const made = (await mkdir(path, { recursive: true, mode: 0o700 })) !== undefined;
      if ((await readdir(path)).length > 0) {
        throw new OperatorError(`The folder ${path} is not empty, and a demo starts from nothing; name another one.`);
      }
      return new DemoFolder(path, made);
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      const reason = (error as Error).message;
      throw new OperatorError(`There is no folder for the demo's files: ${reason}. Choose one with --dir.`);
    }
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Leaves what was there before. Synchronous, so that it can be the last thing a process does. */
  remove(): void {
    if (!existsSync(this.path)) return;
    for (const name of readdirSync(this.path)) rmSync(this.file(name), { recursive: true, force: true });
    if (this.made) rmdirSync(this.path);
  }
}
