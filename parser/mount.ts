/** The values of `RUN --mount` (RUN-8 to RUN-22). */

import { type MountDraft, readDraft } from './mount-draft.ts';

export type Mount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount;

/** Files of a stage, an image, a named context or the build context (RUN-14). */
export interface BindMount {
  readonly kind: 'bind';
  /** As written: may be relative to the working directory, or empty (RUN-13). */
  readonly target: string;
  /** Undefined: the build context. */
  readonly from: string | undefined;
  readonly source: string;
  readonly readonly: boolean;
}

/** A directory that outlives the build (RUN-16). */
export interface CacheMount {
  readonly kind: 'cache';
  readonly target: string;
  /** Undefined: the cleaned target. */
  readonly id: string | undefined;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly from: string | undefined;
  readonly source: string | undefined;
  readonly readonly: boolean;
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

export interface TmpfsMount {
  readonly kind: 'tmpfs';
  readonly target: string;
  /** Bytes; undefined for no limit (RUN-19). */
  readonly size: number | undefined;
  readonly readonly: boolean;
}

/** A secret as a file, as an environment variable, or as both (RUN-20). */
export interface SecretMount {
  readonly kind: 'secret';
  readonly id: string;
  /** Undefined: no file. A relative path is not relative to the working directory. */
  readonly target: string | undefined;
  readonly env: string | undefined;
  readonly required: boolean;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The SSH agent's socket (RUN-22). */
export interface SshMount {
  readonly kind: 'ssh';
  readonly id: string;
  /** Undefined: `/run/buildkit/ssh_agent.N`, N counted over the instruction. */
  readonly target: string | undefined;
  readonly required: boolean;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface MountOptions {
  /** Expands one value: done after the commas are split, so that a value may contain some (RUN-12). */
  readonly expand?: (value: string) => string;
}

/** Reads the value of one `--mount` flag. Throws ERR_INSTRUCTION_INVALID; the message contains BuildKit's. */
export function parseMount(text: string, options: MountOptions = {}): Mount {
  const draft = readDraft(text, options.expand);
  switch (draft.type) {
    case 'bind':
      return finishBind(draft);
    case 'cache':
      return finishCache(draft);
    case 'tmpfs':
      return finishTmpfs(draft);
    case 'secret':
      return finishSecret(draft);
    case 'ssh':
      return finishSsh(draft);
  }
}

function finishBind(draft: MountDraft): BindMount {
  return Object.freeze({
    kind: 'bind',
    target: draft.target ?? '',
    from: draft.from || undefined,
    source: draft.source || '/',
    readonly: draft.readonly ?? true,
  });
}

function finishCache(draft: MountDraft): CacheMount {
  return Object.freeze({
    kind: 'cache',
    target: draft.target ?? '',
    id: draft.id || undefined,
    sharing: draft.sharing ?? 'shared',
    from: draft.from || undefined,
    source: draft.source || undefined,
    readonly: draft.readonly ?? false,
    mode: draft.mode,
    uid: draft.uid,
    gid: draft.gid,
  });
}

function finishTmpfs(draft: MountDraft): TmpfsMount {
  return Object.freeze({
    kind: 'tmpfs',
    target: draft.target ?? '',
    // Zero means "no limit" to the kernel and to BuildKit.
    size: draft.size || undefined,
    readonly: draft.readonly ?? false,
  });
}

function finishSecret(draft: MountDraft): SecretMount {
  const id = draft.id || draft.source || baseName(draft.target ?? '');
  const file = draft.env === undefined ? `/run/secrets/${baseName(id)}` : undefined;
  return Object.freeze({
    kind: 'secret',
    id,
    target: draft.target || file,
    env: draft.env,
    required: draft.required ?? false,
    mode: draft.mode ?? 0o400,
    uid: draft.uid ?? 0,
    gid: draft.gid ?? 0,
  });
}

function finishSsh(draft: MountDraft): SshMount {
  return Object.freeze({
    kind: 'ssh',
    id: draft.id || 'default',
    target: draft.target || undefined,
    required: draft.required ?? false,
    mode: draft.mode ?? 0o600,
    uid: draft.uid ?? 0,
    gid: draft.gid ?? 0,
  });
}

function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}
