/** `type=local` and `type=tar`: the files of the images instead of the images. */

import { dirname } from 'node:path';
import {
  type LocalOutput,
  stdoutOf,
  type TarOutput,
  writeDirectory,
  writeRootTar,
} from '../export/index.ts';
import type { Subject } from '../attest/index.ts';
import type { Attestor } from './attestor.ts';
import { hasCode } from '../errors.ts';
import type { Finishing, Solved } from './finishing.ts';
import { type RootFilesTarget, writeRootFiles } from '../solve/root-files.ts';
import type { ImageTree } from '../tree/image-tree.ts';
import { toText } from '../tree/path.ts';

/** @throws ERR_OUTPUT_FAILED */
export async function writeFiles(
  output: LocalOutput | TarOutput,
  { plans, stages }: Solved,
  { work, attestor }: { readonly work: Finishing; readonly attestor: Attestor | undefined },
): Promise<void> {
  const { options, request, session, epoch, signal } = work;
  const isSplit = output.platformSplit ?? request.isIndex;
  const roots = plans.map((plan) => ({
    platform: plan.platform,
    layers: stages.get(plan.target)?.layers ?? [],
    // LOC-2
    more: async (tree: ImageTree) => {
      const about = { epoch: output.epoch ?? epoch, prefix: output.attestationPrefix };
      return (await attestor?.attestFiles(plan, subjectsIn(tree), about)) ?? [];
    },
  }));
  const { uid, gid } = request.machine;
  const make = async (kind: RootFilesTarget['kind'], path: string): Promise<void> => {
    const dated = output.epoch ?? epoch;
    const target = { kind, path, uid, gid };
    const files = { session, isSplit, epoch: dated, signal };
    await writeRootFiles(roots, target, files).catch((error: unknown) => {
      throw asOutputFailure(error, dirname(path));
    });
  };
  if (output.kind === 'tar') {
    await writeRootTar(output.destination === '-' ? stdoutOf(options.stdout) : output.destination, {
      make: async (path) => await make('tar', path),
      temporary: session.layers.temporary('tar'),
      signal,
    });
    return;
  }
  await writeDirectory(output.destination, {
    make: async (path) => await make('directory', path),
    remove: async (path) => {
      const helper = await session.helpers.files();
      const never = new AbortController().signal;
      await helper.remove({ verb: 'remove', paths: [path] }, { signal: never });
    },
    deletes: output.mode === 'delete',
    signal,
  });
}

/** Every file by its content. */
function subjectsIn(tree: ImageTree): readonly Subject[] {
  return [...tree.below('')].flatMap((found) => {
    const sha256 = tree.contentOf(found)?.entry.sha256;
    return sha256 === undefined ? [] : [{ name: toText(found.entry.path), digest: { sha256 } }];
  });
}

/** What the helper could not write, as a file system call of our own would tell it. */
function asOutputFailure(error: unknown, directory: string): unknown {
  if (!hasCode(error, 'ERR_HELPER_FAILED')) return error;
  const { message, path = '', errno, errnoName } = (error.cause ?? {}) as Partial<HelperFailure>;
  if (errno === undefined || !path.startsWith(directory)) return error;
  return Object.assign(new Error(message), { errno: -errno, code: errnoName, path });
}

interface HelperFailure {
  readonly message: string;
  readonly path: string;
  readonly errno: number;
  readonly errnoName: string;
}
