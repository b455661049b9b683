/**
 * What is on disk of a host's programs, so that whoever supervises one next knows what it is.
 *
 *   <runDir>/programs/<id>.json          a program that runs here, from before its start to after its end
 *   <runDir>/programs/<id>.arrival.json  a program on its way here, from before its cgroup to after its thaw
 *
 * A record that stands while nobody supervises the program (supervision.ts) was left by a supervisor that died.
 * Processes are found through the cgroup alone: unlike a pid, its name never comes to mean anything else. Both are gone
 * with a reboot, as the programs are. So is the directory of the program's PID 1, which goes with the last record.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync,
  writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { hexId, programId } from '../protocol/control/index';

const about = { id: programId, group: hexId, command: z.array(z.string()), startedAt: z.number() };

const programRecord = z.object({
  identity: z.object({ ...about, token: hexId }),
  cgroup: z.string(),
  /** Its stdin, stdout and stderr are a terminal, whose master was the supervisor's alone. */
  terminal: z.boolean(),
  /** Where the console is: in the supervisor's own process, or elsewhere, or lost with a supervisor. */
  console: z.enum(['here', 'elsewhere', 'lost']),
  /** The migration by which it is leaving. */
  leaving: hexId.nullable(),
});
export type ProgramRecord = z.infer<typeof programRecord>;
export type ProgramIdentity = Readonly<ProgramRecord['identity']>;

const arrivalRecord = z.object({ program: z.object(about), migration: hexId, cgroup: z.string() });
export type ArrivalRecord = z.infer<typeof arrivalRecord>;

/** Names the cgroup of a program that arrives. It is another one each time: a migration may have left one behind. */
export function arrivalName(id: string, migration: string): string {
  return `${id}-${migration.slice(0, 8)}`;
}

const FILE = /^([0-9a-f]{8})(?:\.arrival)?\.json$/;

export class Records {
  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** The ids of all programs that have a record of either kind. */
  ids(): string[] {
    return [...new Set(readdirSync(this.folder).flatMap((name) => FILE.exec(name)?.[1] ?? []))];
  }

  has(id: string): boolean {
    return this.ids().includes(id);
  }

  program(id: string): ProgramRecord | undefined {
    return this.read(`${id}.json`, programRecord);
  }

  arrival(id: string): ArrivalRecord | undefined {
    return this.read(`${id}.arrival.json`, arrivalRecord);
  }

  writeProgram(record: ProgramRecord): void {
    writeRecord(this.folder, `${record.identity.id}.json`, record);
  }

  writeArrival(record: ArrivalRecord): void {
    writeRecord(this.folder, `${record.program.id}.arrival.json`, record);
  }

  removeProgram(id: string): void {
    rmSync(join(this.folder, `${id}.json`), { force: true });
  }

  removeArrival(id: string): void {
    rmSync(join(this.folder, `${id}.arrival.json`), { force: true });
  }

  /**
   * Removes the records of a program whose cgroup is gone. Where it could not be removed, the record stays, and the
   * agent has another supervisor see to it when this one has ended.
   */
  removeGone(id: string): void {
    if (!hasCgroup(this.program(id)) && !hasCgroup(this.arrival(id))) removeInitDirectory(id);
    if (!hasCgroup(this.program(id))) this.removeProgram(id);
    if (!hasCgroup(this.arrival(id))) this.removeArrival(id);
  }

  private read<Shape>(name: string, schema: z.ZodType<Shape>): Shape | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.folder, name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return schema.parse(JSON.parse(text));
  }
}

/** The file is there whole or not at all; it replaces an earlier one of this name. */
export function writeRecord(folder: string, name: string, record: unknown): void {
  const draft = join(folder, `.${name}`);
  writeFileSync(draft, JSON.stringify(record), { mode: 0o600 });
  renameSync(draft, join(folder, name));
}

function hasCgroup(record: { cgroup: string } | undefined): boolean {
  return record !== undefined && existsSync(record.cgroup);
}

/*
 * Each program's PID 1, migrun-init, has a working directory for itself alone.
 *
 * CRIU gets hold of a PID namespace's /proc by a folder that it makes for a moment in the working directory of PID 1
 * (get_proc_fd() in criu/pie/parasite.c). Where the program was started, that could be read-only, another program that
 * moves could have its own there, and whoever watches the directory would see it.
 */

/** It is the same on every host, wherever the other files are: CRIU enters it again by its name. */
const ROOT = '/run/migrun/init';
const FOLDER = 'proc.crtools';

export function initDirectoryOf(id: string): string {
  return join(ROOT, id);
}

export function makeInitDirectory(id: string): string {
  const directory = initDirectoryOf(id);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

/** Removes CRIU's folder that a killed dump has left: the next one would fail. What somebody else put there stays. */
export function clearInitDirectory(id: string): void {
  removeFolder(join(initDirectoryOf(id), FOLDER));
}

export function removeInitDirectory(id: string): void {
  clearInitDirectory(id);
  removeFolder(initDirectoryOf(id));
}

function removeFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
