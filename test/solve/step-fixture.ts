/** A session with a real store and the real helper, and what its steps are executed with. */

import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { CopyOrigin, CopyStep, PlannedSource, PlannedStage } from '../../src/plan/step.ts';
import { Progress } from '../../src/progress/progress.ts';
import { copyRunner } from '../../src/solve/copy.ts';
import { directoryFiles } from '../../src/context/context-files.ts';
import { fetchFile } from '../../src/context/fetch-file.ts';
import { readIgnoreFile } from '../../src/context/ignore-file.ts';
import { scanDirectory } from '../../src/context/local-context.ts';
import { createStepContext } from '../../src/solve/create-context.ts';
import { Devices } from '../../src/solve/devices.ts';
import type { BaseImage, Layer } from '../../src/solve/layer.ts';
import { readText } from '../../src/solve/read-text.ts';
import { openSession, type Session } from '../../src/solve/session.ts';
import type { Executed, StepContext, Wanted } from '../../src/solve/step-context.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';
import { NOW } from './copying.ts';
import { stageOf, stepOf } from './stage.ts';

export interface StepFixture {
  readonly session: Session;
  readonly context: StepContext;
  /** The build context. It is scanned once, when a step first needs it. */
  readonly directory: string;
  /** Writes files of the build context. */
  readonly write: (files: Readonly<Record<string, string | Uint8Array>>) => Promise<void>;
  /** What the next stage answers that is copied from. */
  readonly stage: (layers: readonly Layer[]) => CopyOrigin<BaseImage>;
}

/** Nothing but an index and an uncompressed blob. */
export const PLAIN: Wanted = { directory: false, blob: false };
export const BLOB: Wanted = { directory: false, blob: true };
export const DIRECTORY: Wanted = { directory: true, blob: false };

export interface SessionChanges {
  /** Keeps what is in it from session to session. */
  readonly store?: string;
  readonly helper?: string;
  readonly signal?: AbortSignal;
}

/** Runs `use` with a session. */
export async function withSteps(
  use: (fixture: StepFixture) => Promise<void>,
  options: SessionChanges = {},
): Promise<void> {
  await withDirectory(async (base) => {
    const { uid, gid, username } = userInfo();
    const { signal = new AbortController().signal } = options;
    const directory = join(base, 'context');
    await mkdir(directory);
    const session = await openSession({
      store: options.store ?? join(base, 'store'),
      helper: options.helper ?? HELPER,
      dockerConfig: undefined,
      machine: { uid, gid, user: username },
      concurrency: 2,
      ssh: {},
      progress: new Progress(undefined),
      signal,
    });
    const stages = new Map<PlannedStage<BaseImage>, readonly Layer[]>();
    try {
      const context = {
        ...(await createStepContext({
          session,
          context: async () =>
            await scanDirectory({
              directory,
              ignore: await readIgnoreFile({ files: directoryFiles(directory) }),
              helper: await session.helpers.files(),
              index: session.layers.temporary('context'),
              statCache: undefined,
              signal,
            }),
          namedContext: (name) => Promise.reject(new Error(`No context "${name}"`)),
          fetchFile: async (url, checksum) =>
            await fetchFile(url, {
              memory: session.store,
              temporary: () => session.layers.temporary('download'),
              secrets: new Map(),
              signal,
              delays: [],
              checksum,
            }),
          sandbox: {
            secrets: new Map(),
            rotatingSecrets: new Set(),
            addHosts: [],
            shmSize: undefined,
            ulimits: [],
            devices: new Devices([]),
            hostDevices: [],
            dns: { nameservers: [], search: [], options: [] },
            cgroup: undefined,
            timeout: undefined,
          },
          onBlob: () => undefined,
          onNote: () => undefined,
          runs: [],
          epoch: undefined,
          stage: async (stage) => stages.get(stage) ?? [],
          signal,
        })),
        now: NOW,
      };
      await use({
        session,
        context,
        directory,
        write: async (files) => {
          for (const [name, content] of Object.entries(files)) {
            const path = join(directory, name);
            await mkdir(dirname(path), { recursive: true });
            await writeFile(path, content);
          }
        },
        stage: (layers) => {
          const stage = stageOf([]);
          stages.set(stage, layers);
          return { kind: 'stage', stage };
        },
      });
    } finally {
      await session.close();
    }
  });
}

export type CopyChanges = Partial<Omit<CopyStep<BaseImage>, 'sources' | 'destination'>>;

/** `COPY sources destination`; a text is a path. */
export function copyStep(
  sources: readonly (string | PlannedSource)[],
  destination: string,
  changes: CopyChanges = {},
): CopyStep<BaseImage> {
  const { add = false } = changes;
  return {
    kind: 'copy',
    ...stepOf({ created_by: 'COPY' }),
    add,
    origin: { kind: 'context' },
    sources: sources.map((source) =>
      typeof source === 'string' ? { kind: 'path', path: source, unpack: add } : source,
    ),
    destination,
    chown: undefined,
    chmod: undefined,
    link: false,
    parents: false,
    exclude: [],
    ...changes,
  };
}

/** Executes a COPY on top of a parent. */
export async function execute(
  context: StepContext,
  step: CopyStep<BaseImage>,
  { parent = [], wanted = PLAIN }: { readonly parent?: readonly Layer[]; readonly wanted?: Wanted },
): Promise<Executed> {
  return await copyRunner(step, parent, context).execute(wanted);
}

/** The entries of a layer. */
export async function entriesOf(context: StepContext, layer: Layer): Promise<readonly Entry[]> {
  return [...(await context.layers.index(layer, { directories: false })).within('')];
}

/** The text of a file in a stack of layers. */
export async function textOf(
  { layers }: StepContext,
  stack: readonly Layer[],
  path: string,
): Promise<string | undefined> {
  return await readText(stack, await layers.tree(stack, { directories: false }), path, layers);
}
