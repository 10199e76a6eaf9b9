/** The devices that this machine offers to RUNs, by the names of the Container Device Interface (RUN-3). */

import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { type CdiDevice, type CdiSpec, DEVICE_KIND, parseCdiSpec } from './cdi-spec.ts';

/** Where specs are: of two that name the same device, that of the later directory counts. */
export const CDI_DIRECTORIES: readonly string[] = ['/etc/cdi', '/var/run/cdi'];

/** One that was found. */
export interface OfferedDevice {
  /** `vendor.com/class=name`. */
  readonly name: string;
  readonly device: CdiDevice;
  readonly spec: CdiSpec;
  /** The machine's owner lets every build have it. */
  readonly isFree: boolean;
}

/** BuildKit's annotations: a name for several devices, and devices that need no `--allow`. */
const CLASS = 'org.mobyproject.buildkit.device.class';
const FREE = 'org.mobyproject.buildkit.device.autoallow';

/** The specs of some directories; read once, when a device is first asked for. */
export class Devices {
  readonly #directories: readonly string[];
  #specs: Promise<Specs> | undefined;

  constructor(directories: readonly string[] = CDI_DIRECTORIES) {
    this.#directories = directories;
  }

  /**
   * What a name means: one device; without one, the first of its kind; with `*`, all of them; else
   * those of that class. None when there is none. @throws ERR_INSTRUCTION_INVALID for no such name
   */
  async find(name: string): Promise<readonly OfferedDevice[]> {
    const [kind = '', ...rest] = name.split('=');
    if (!DEVICE_KIND.test(kind)) {
      throw new TsbuildError('ERR_INSTRUCTION_INVALID', {
        message: `Cannot give the device "${name}" to a step: invalid device`,
        details: undefined,
        hint: 'It is vendor.com/class[=name]. For a device file of this machine: "tsbuild --device /dev/NAME".',
      });
    }
    const { offered } = await this.#read();
    const ofKind = offered.filter(({ spec }) => spec.kind === kind);
    const wanted = rest.join('=');
    if (wanted === '') return ofKind.slice(0, 1);
    if (wanted === '*') return ofKind;
    const named = ofKind.filter((device) => device.name === name);
    return named.length > 0
      ? named
      : ofKind.filter((device) => annotation(device, CLASS) === wanted);
  }

  /** Why a device is not there, and what to do about it. */
  async missing(name: string): Promise<TsbuildError<'ERR_SANDBOX_UNAVAILABLE'>> {
    const { offered, problems } = await this.#read();
    const places = this.#directories.join(', ');
    const there = offered.map((device) => device.name).join(', ') || 'none';
    return new TsbuildError('ERR_SANDBOX_UNAVAILABLE', {
      message: `Cannot execute the step: required device "${name}" is not registered`,
      details: { reasons: [`no CDI spec in ${places} has "${name}"`, ...problems], fixes: [] },
      hint: [
        `Devices of this machine: ${there} (specs in ${places}).`,
        ...problems.map((problem) => `${problem}.`),
      ].join(' '),
    });
  }

  #read(): Promise<Specs> {
    this.#specs ??= readSpecs(this.#directories);
    return this.#specs;
  }
}

interface Specs {
  /** Sorted by name. */
  readonly offered: readonly OfferedDevice[];
  /** Files that are no specs, as sentences without a period. */
  readonly problems: readonly string[];
}

/** A file that is wrong counts for nothing: the devices of others are there all the same. */
async function readSpecs(directories: readonly string[]): Promise<Specs> {
  const offered = new Map<string, OfferedDevice>();
  const problems: string[] = [];
  for (const directory of directories) {
    const here = new Map<string, OfferedDevice>();
    const twice = new Set<string>();
    for (const file of await specFiles(directory)) {
      try {
        for (const device of devicesOf(await readSpec(file))) {
          if (here.has(device.name)) twice.add(device.name);
          here.set(device.name, device);
        }
      } catch (error) {
        problems.push(`"${file}" cannot be used: ${messageOf(error)}`);
      }
    }
    for (const [name, device] of here) offered.set(name, device);
    for (const name of twice) {
      offered.delete(name);
      problems.push(`Two files of "${directory}" have the device "${name}"`);
    }
  }
  const names = [...offered.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { offered: names, problems };
}

async function specFiles(directory: string): Promise<readonly string[]> {
  // No directory, no devices.
  const names = await readdir(directory).catch(() => []);
  return names
    .filter((name) => ['.json', '.yaml', '.yml'].includes(extname(name)))
    .toSorted()
    .map((name) => join(directory, name));
}

async function readSpec(file: string): Promise<CdiSpec> {
  const text = await readFile(file, 'utf8');
  if (extname(file) === '.json') return parseCdiSpec(JSON.parse(text));
  // The whole module: of a CommonJS package a bundle has no other name.
  const { default: yaml } = await import('yaml');
  return parseCdiSpec(yaml.parse(text));
}

function devicesOf(spec: CdiSpec): readonly OfferedDevice[] {
  return [...spec.devices].map(([name, device]) => {
    const offered = { name: `${spec.kind}=${name}`, device, spec };
    return { ...offered, isFree: /^(?:1|t|true)$/i.test(annotation(offered, FREE) ?? '') };
  });
}

/** The device's own goes before that of its file. */
function annotation(
  { device, spec }: Pick<OfferedDevice, 'device' | 'spec'>,
  key: string,
): string | undefined {
  return device.annotations[key] ?? spec.annotations[key];
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n')[0] ?? '';
}
