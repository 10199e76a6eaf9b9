/** Attests the images of a build: gathers what is known, and writes the statements (ATT). */

import { randomUUID } from 'node:crypto';
import {
  assembleAttestation,
  type Attestation,
  type AttestRequest,
  builderVersion,
  encodeStatement,
  imagePurl,
  PREDICATE,
  provenanceOf,
  sbomOf,
  type Scan,
  scanPackages,
  type Subject,
} from '../attest/index.ts';
import { cacheKey, type JsonValue, type Store } from '../../cache/index.ts';
import { gatherFacts } from './build-facts.ts';
import { TsbuildError } from '../errors.ts';
import type { ExportImage, ImageForm } from '../export/index.ts';
import type { Finishing, Solved } from './finishing.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';
import { formatAll } from '../oci/platform.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import type { BuildPlan, PlannedStage } from '../plan/step.ts';
import { type ImageFiles, openContextFiles, openImageFiles } from '../solve/image-files.ts';
import type { BaseImage, Layer } from '../solve/layer.ts';
import type { LayerBlob } from '../solve/layer-blobs.ts';
import { givenSecrets } from '../solve/secret-guard.ts';
import { checkAttestation } from '../solve/secret-leaks.ts';

/** What one image has to be attested of. */
export interface AttestedImage {
  readonly plan: BuildPlan<BaseImage>;
  readonly descriptor: Descriptor;
  /** Lowest first. */
  readonly blobs: readonly LayerBlob[];
  readonly form: Pick<ImageForm, 'epoch' | 'ociArtifact'>;
  readonly names: readonly Reference[];
}

export interface MadeAttestation {
  /** It is exported as images are. */
  readonly manifest: ExportImage;
  /** The predicate alone. */
  readonly provenance: object | undefined;
}

/** A statement as a file beside those of an image (LOC-2). */
export interface StatementFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A list of packages, and what it is of. */
interface NamedScan {
  readonly scan: Scan;
  /** Undefined: of the image itself. */
  readonly part: string | undefined;
}

const SCAN_STAGE = 'BUILDKIT_SBOM_SCAN_STAGE';
/** The part that is no stage. */
const CONTEXT = 'build-context';
const SCAN_CONTEXT = 'BUILDKIT_SBOM_SCAN_CONTEXT';

export class Attestor {
  readonly #solved: Solved;
  readonly #work: Finishing;
  readonly #scans = new Map<BuildPlan<BaseImage>, Promise<readonly NamedScan[]>>();
  readonly #finished = Date.now();
  readonly #id = randomUUID();

  constructor(solved: Solved, work: Finishing) {
    this.#solved = solved;
    this.#work = work;
  }

  /** The attestation manifest of an image, in the store with its statements. @throws ERR_SECRET_LEAKED */
  async attest(image: AttestedImage): Promise<MadeAttestation> {
    const { descriptor, plan, names, form } = image;
    const digest = { sha256: hexOf(descriptor.digest) };
    // One for each name, or one that says there is none (ATT-5).
    const subjects = names.map((name) => ({ name: imagePurl(name, plan.platform), digest }));
    const subject = subjects.length > 0 ? subjects : [{ name: '_', digest }];
    const attestations = await this.#attestations(plan, form.epoch, image);
    const statements = attestations.map((each) => encodeStatement(each, subject));
    const made = assembleAttestation(descriptor, statements, { isArtifact: form.ociArtifact });
    const { store } = this.#work.session;
    for (const { bytes } of made.blobs) await store.putBytes(bytes);
    await store.putBytes(made.config);
    await store.putBytes(made.manifest);
    const { platform } = made.descriptor;
    const blobs = made.blobs.map(({ descriptor: blob }) => ({
      descriptor: blob,
      path: store.blobPath(blob.digest),
    }));
    return {
      manifest: { ...made, platform, blobs },
      provenance: attestations.find(({ predicateType }) => predicateType !== PREDICATE.sbom)
        ?.predicate,
    };
  }

  /** The statements about the files of a platform's image. */
  async attestFiles(
    plan: BuildPlan<BaseImage>,
    subject: readonly Subject[],
    { epoch, prefix }: { readonly epoch: number | undefined; readonly prefix: string },
  ): Promise<readonly StatementFile[]> {
    const attestations = await this.#attestations(plan, epoch, undefined);
    return attestations.map((each) => ({
      name: `${prefix}${each.filename}`,
      bytes: encodeStatement(each, subject).bytes,
    }));
  }

  /** What there is to say of a platform's image, with its digest and layers or of its files alone. */
  async #attestations(
    plan: BuildPlan<BaseImage>,
    epochOfForm: number | undefined,
    image: AttestedImage | undefined,
  ): Promise<readonly Attestation[]> {
    const { options, request, input } = this.#work;
    const { provenance, sbom } = wantedIn(request.attest, image === undefined);
    const epoch = epochOfForm ?? this.#work.epoch;
    const all: Attestation[] = [];
    if (sbom !== undefined) all.push(...(await this.#sboms(plan, epoch, image)));
    if (provenance !== undefined) {
      all.push(provenanceOf(await this.#facts(plan, epoch, image), provenance));
    }
    const given = new Map(Object.entries(options.secrets ?? {}));
    const secrets = givenSecrets(given, options.unguardedSecrets ?? []);
    for (const { predicate } of all) {
      checkAttestation(predicate, { dockerfile: input.file.text, secrets });
    }
    return all;
  }

  async #facts(
    plan: BuildPlan<BaseImage>,
    epoch: number | undefined,
    image: AttestedImage | undefined,
  ): Promise<ReturnType<typeof gatherFacts>> {
    const { options, request, session, input, started } = this.#work;
    const { stages } = this.#solved;
    const layers = stages.get(plan.target)?.layers ?? [];
    return gatherFacts({
      ...{ options, request, plan },
      source: input.source,
      dockerfile: input.file,
      fetched: session.materials.found,
      layerOf: (stage, step) => {
        const id = stages.get(stage)?.steps[step]?.layer?.id;
        const place = layers.findLastIndex((layer) => layer.id === id);
        return image?.blobs[place]?.descriptor;
      },
      times: {
        // With a time that was given, nothing tells two equal builds apart.
        invocationID: epoch === undefined ? this.#id : undefined,
        startedOn: timeText(epoch === undefined ? started : epoch * 1000),
        finishedOn: timeText(epoch === undefined ? this.#finished : epoch * 1000),
      },
      builderVersion: await builderVersion(),
    });
  }

  async #sboms(
    plan: BuildPlan<BaseImage>,
    epoch: number | undefined,
    image: AttestedImage | undefined,
  ): Promise<readonly Attestation[]> {
    const scans = this.#scans.get(plan) ?? this.#scan(plan);
    this.#scans.set(plan, scans);
    const version = await builderVersion();
    const [name] = image?.names ?? [];
    const created = epoch ?? Math.floor(this.#finished / 1000);
    return (await scans).map(({ scan, part }) => {
      const ofImage = part === undefined ? image : undefined;
      return sbomOf(scan, {
        name: part ?? (name === undefined ? 'image' : formatReference(name)),
        version: ofImage?.descriptor.digest,
        purl: name && ofImage && imagePurl(name, plan.platform),
        created,
        builderVersion: version,
        layers: ofImage?.blobs.map(({ descriptor }) => descriptor.digest) ?? [],
        purpose: part === CONTEXT ? 'SOURCE' : 'CONTAINER',
        filename: part === undefined ? 'sbom.spdx.json' : `sbom-${part}.spdx.json`,
      });
    });
  }

  /** The image, then the stages and the context that the Dockerfile wants scanned (ATT-10). */
  async #scan(plan: BuildPlan<BaseImage>): Promise<readonly NamedScan[]> {
    const { session, progress, request, input, signal } = this.#work;
    const { layers } = session;
    const where = request.platforms.length > 1 ? `[${formatAll(plan.platform)}] ` : '';
    const reporter = progress.start({ name: `${where}generating sbom`, location: undefined });
    const temporary = (): string => layers.temporary('packages');
    const scanStage = async (stage: PlannedStage<BaseImage>): Promise<Scan> => {
      const list = this.#solved.stages.get(stage)?.layers ?? [];
      return await rememberScan(list, session.store, async () =>
        scanPackages({ ...untilAborted(await openImageFiles(list, layers), signal), temporary }),
      );
    };
    try {
      const { target } = plan;
      const found: NamedScan[] = [{ scan: await scanStage(target), part: undefined }];
      for (const stage of this.#scannedStages(plan)) {
        const part = stage.name ?? `stage-${stage.index}`;
        found.push({ scan: await scanStage(stage), part });
      }
      if (isTrue(this.#argument(target, SCAN_CONTEXT) ?? '')) {
        const files = untilAborted(openContextFiles(await input.scan(), layers), signal);
        const scan = await scanPackages({ ...files, temporary });
        found.push({ scan, part: CONTEXT });
      }
      for (const note of found.flatMap(({ scan }) => scan.notes)) progress.notice('warning', note);
      reporter.end({ cached: false });
      return found;
    } catch (error) {
      reporter.fail(error instanceof TsbuildError ? error : undefined);
      throw error;
    }
  }

  #scannedStages({ stages, target }: BuildPlan<BaseImage>): readonly PlannedStage<BaseImage>[] {
    const listed = this.#argument(target, SCAN_STAGE) ?? '';
    const names = listed.split(',').map((name) => name.trim().toLowerCase());
    return stages.filter((stage) => {
      if (stage === target) return false;
      const isListed = stage.name !== undefined && names.includes(stage.name);
      return isListed || isTrue(this.#argument(stage, SCAN_STAGE) ?? '');
    });
  }

  #argument({ args }: PlannedStage<BaseImage>, name: string): string | undefined {
    return args.findLast((arg) => arg.name === name)?.value ?? this.#work.options.buildArgs?.[name];
  }
}

/** An image may have a list for each of many thousand packages. */
function untilAborted({ tree, read }: ImageFiles, signal: AbortSignal): ImageFiles {
  return {
    tree,
    read: async (path) => {
      signal.throwIfAborted();
      return await read(path);
    },
  };
}

/** To look into layers that have no directory, they must be unpacked: once for each image. */
async function rememberScan(
  list: readonly Layer[],
  store: Store,
  scan: () => Promise<Scan>,
): Promise<Scan> {
  const version = await builderVersion();
  const key = cacheKey('packages', { version, layers: list.map(({ id }) => id) });
  const known = await store.getRecord(key);
  // Records have a hash of their own: this is what was put there.
  if (known !== undefined) return known.inputs as unknown as Scan;
  const found = await scan();
  // What cannot be read today may be readable tomorrow.
  if (found.notes.length > 0) return found;
  const inputs = JSON.parse(JSON.stringify(found)) as JsonValue;
  await store.putRecord(key, { layer: undefined, inputs, created: 0, duration: 0 });
  return found;
}

/** Outputs of files have no index that something could be a mere addition to. */
function wantedIn({ provenance, sbom }: AttestRequest, isFiles: boolean): AttestRequest {
  if (!isFiles) return { provenance, sbom };
  return {
    provenance: provenance?.inlineOnly ? undefined : provenance,
    sbom: sbom?.inlineOnly ? undefined : sbom,
  };
}

function isTrue(text: string): boolean {
  return /^(?:1|t|true)$/i.test(text);
}

/** RFC 3339. */
function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('.000Z', 'Z');
}
