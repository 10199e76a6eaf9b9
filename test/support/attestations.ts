/** Builds with attestations, and these as they stand in a layout. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type BuildOptions, type BuildResult } from '../../src/index.ts';
import { checkLayout, type RawDescriptor } from './check.ts';
import { type Files, inContext } from './in-context.ts';
import { HELPER } from './sandbox.ts';
import type { SpdxDocument } from './spdx.ts';

export const PROVENANCE = 'https://slsa.dev/provenance/v1';
export const SBOM = 'https://spdx.dev/Document';

export interface Statement {
  readonly _type: string;
  readonly predicateType: string;
  readonly subject: readonly {
    readonly name: string;
    readonly digest: Readonly<Record<string, string>>;
  }[];
  readonly predicate: unknown;
}

export interface AttestationManifest {
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: RawDescriptor;
  readonly layers: readonly RawDescriptor[];
  readonly subject?: RawDescriptor;
}

/** What is said about an image. */
export interface ReadAttestation {
  readonly descriptor: RawDescriptor;
  readonly manifest: AttestationManifest;
  readonly config: unknown;
  readonly statements: readonly Statement[];
}

export interface AttestedIndex {
  readonly digest: string;
  /** In the order of the index. */
  readonly manifests: readonly RawDescriptor[];
  readonly attestations: readonly ReadAttestation[];
}

/** Reads the only index of a layout, which is checked. */
export async function readAttested(layout: string): Promise<AttestedIndex> {
  // Each name is an entry.
  const entries = await checkLayout(layout);
  const [entry] = entries;
  assert.ok(entry !== undefined && entries.every(({ digest }) => digest === entry.digest));
  const read = async <T>({ digest }: RawDescriptor): Promise<T> => {
    const path = join(layout, 'blobs', digest.replace(':', '/'));
    return JSON.parse(await readFile(path, 'utf8')) as T;
  };
  const { manifests } = await read<{ readonly manifests: readonly RawDescriptor[] }>(entry);
  const attestations: ReadAttestation[] = [];
  for (const descriptor of manifests) {
    if (descriptor.annotations?.['vnd.docker.reference.type'] === undefined) continue;
    const manifest = await read<AttestationManifest>(descriptor);
    const statements: Statement[] = [];
    for (const layer of manifest.layers) statements.push(await read<Statement>(layer));
    attestations.push({ descriptor, manifest, config: await read(manifest.config), statements });
  }
  return { digest: entry.digest, manifests, attestations };
}

/** The predicate of a type. */
function predicateOf(statements: readonly Statement[], type: string): unknown {
  const found = statements.find(({ predicateType }) => predicateType === type);
  assert.ok(found !== undefined, type);
  return found.predicate;
}

/** Files to build, with a package of npm's among them. */
export const FILES = {
  Dockerfile: 'FROM scratch\nARG X=1\nCOPY . /\nLABEL a=b\n',
  'node_modules/a/package.json': '{"name":"a","version":"1.2.3","license":"MIT"}',
};

export interface Made {
  readonly folder: string;
  /** Builds into `image`, a layout, and reads what is there. */
  readonly make: (more?: Partial<BuildOptions>) => Promise<BuildResult>;
  readonly read: () => Promise<AttestedIndex>;
  readonly layout: string;
}

/** Hands over builds of these files. */
export async function withBuild(
  content: string | Files,
  use: (made: Made) => Promise<void>,
): Promise<void> {
  await inContext(content, async (options) => {
    const folder = join(options.context, '..');
    const layout = join(folder, 'image');
    const outputs = [`type=oci,tar=false,dest=${layout}`];
    await use({
      folder,
      layout,
      make: async (more = {}) =>
        await build({ ...options, helper: HELPER, tags: ['app:v1'], outputs, ...more }),
      read: async () => await readAttested(layout),
    });
  });
}

export interface Provenance {
  readonly buildDefinition: {
    readonly externalParameters: {
      readonly configSource: unknown;
      readonly request: { readonly args: unknown; readonly locals: unknown };
    };
    readonly resolvedDependencies: readonly { readonly uri: string; readonly digest: unknown }[];
  };
  readonly runDetails: { readonly metadata: Readonly<Record<string, unknown>> };
}

export const provenanceIn = (statements: readonly Statement[] = []): Provenance =>
  predicateOf(statements, PROVENANCE) as Provenance;

export const sbomIn = (statements: readonly Statement[] = []): SpdxDocument =>
  predicateOf(statements, SBOM) as SpdxDocument;
