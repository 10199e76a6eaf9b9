/** What can differ between two images: the words of a diff. */

/** A value of a document. */
export type DocumentValue =
  | string
  | number
  | boolean
  | null
  | readonly DocumentValue[]
  | { readonly [key: string]: DocumentValue };

/** The most important first: what a container would notice, then what only digests notice. */
export const DIFFERENCE_GROUPS = [
  'platforms',
  'config',
  'history',
  'layers',
  'files',
  'metadata',
  'times',
  'manifest',
  'attestations',
  'bytes',
] as const;

export type DifferenceGroup = (typeof DIFFERENCE_GROUPS)[number];

/** `added`: only B has it. `removed`: only A has it. */
export type Change = 'added' | 'removed' | 'changed';

interface DifferenceBase {
  /** Of the images that differ; missing where it is about the index over them. */
  readonly platform?: string | undefined;
  readonly change: Change;
}

/**
 * Something in a document. `key` leads to it, e.g. `config.Env.PATH`, `history[2].created` or
 * `annotations["org.example"]`; of `platforms` it is the platform, of `attestations` what kind.
 */
export interface ValueDifference extends DifferenceBase {
  readonly group: 'platforms' | 'config' | 'history' | 'manifest' | 'attestations';
  readonly key: string;
  readonly a?: DocumentValue | undefined;
  readonly b?: DocumentValue | undefined;
}

/** A layer as an image lists it. */
export interface LayerFacts {
  /** Its place among the manifest's layers; the lowest is 0. */
  readonly index: number;
  readonly diffID: string;
  /** Of the blob. A docker archive has no descriptors. */
  readonly digest?: string | undefined;
  readonly mediaType?: string | undefined;
  readonly size?: number | undefined;
  /** What made it, as the history says. */
  readonly createdBy?: string | undefined;
}

/** Layers in the same place with other content, or one that the other image lacks. */
export interface LayerDifference extends DifferenceBase {
  readonly group: 'layers';
  readonly a?: LayerFacts | undefined;
  readonly b?: LayerFacts | undefined;
  /** How many entries differ, or how many there are in a layer that only one image has. */
  readonly entries: number;
}

/** What of a file differs. */
export type FileField =
  | 'type'
  | 'content'
  | 'target'
  | 'device'
  | 'mode'
  | 'owner'
  | 'xattrs'
  | 'hardlink'
  | 'opaque'
  | 'mtime';

/** A file as an image has it. */
export interface FileFacts {
  readonly type: 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo' | 'whiteout';
  /** Octal, e.g. `0644`. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** ISO 8601, with nanoseconds if there are any. */
  readonly mtime: string;
  readonly size?: number | undefined;
  readonly sha256?: string | undefined;
  /** Of a symlink. */
  readonly target?: string | undefined;
  /** The path in the same layer whose content it shares. */
  readonly hardlink?: string | undefined;
  /** `MAJOR:MINOR`. */
  readonly device?: string | undefined;
  /** Values in base64. */
  readonly xattrs?: Readonly<Record<string, string>> | undefined;
  readonly opaque?: true | undefined;
  /** The place of the layer that has it. */
  readonly layer: number;
}

/** Where two contents part. */
export interface FirstDifference {
  /** Bytes before it; one content may end there. */
  readonly offset: number;
  /** Of text: counted from 1, and what stands in that line. */
  readonly line?: number | undefined;
  readonly a?: string | undefined;
  readonly b?: string | undefined;
}

/** A path of the root filesystem. `metadata`: its content is the same. `times`: all else is. */
export interface FileDifference extends DifferenceBase {
  readonly group: 'files' | 'metadata' | 'times';
  readonly path: string;
  /** Of `changed`; the most important first. */
  readonly fields: readonly FileField[];
  readonly a?: FileFacts | undefined;
  readonly b?: FileFacts | undefined;
  readonly first?: FirstDifference | undefined;
  /** Containers see no difference: another layer says the same, or hides it. Who pulls the layers has it. */
  readonly inLayer?: true | undefined;
  /** Of a directory that only one image has, with `collapse`: how many entries are in it, at any depth. */
  readonly below?: number | undefined;
}

/** Some stored bytes. */
export interface BytesFacts {
  readonly digest: string;
  readonly size?: number | undefined;
  readonly mediaType?: string | undefined;
}

/** The same said with other bytes: another compression, another order of a tar or of keys. */
export interface BytesDifference extends DifferenceBase {
  readonly group: 'bytes';
  /** `index`, `manifest`, `config`, `layers[2]` (a blob) or `layers[2].tar` (unpacked). */
  readonly key: string;
  readonly a: BytesFacts;
  readonly b: BytesFacts;
  /** Of `tar`: bytes before the first difference. */
  readonly offset?: number | undefined;
}

export type Difference = ValueDifference | LayerDifference | FileDifference | BytesDifference;
