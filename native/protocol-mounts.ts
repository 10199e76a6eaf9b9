/** The part of the protocol that a RUN's root filesystem is put together from (protocol.ts). */

/** Targets are absolute paths in the sandbox, resolved inside its root; they exist, or lie in an earlier mount. */
export type MountOperation =
  | {
      readonly kind: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readonly: boolean;
      readonly recursive: boolean;
      readonly flags: readonly MountFlag[];
    }
  | {
      readonly kind: 'tmpfs';
      readonly target: string;
      readonly mode: number;
      /** Bytes; undefined: the kernel's default. */
      readonly size?: number;
      readonly readonly: boolean;
      readonly flags: readonly MountFlag[];
    }
  | {
      readonly kind: 'overlay';
      /** Layer directories, lowest first; read-only unless `upper` is given. */
      readonly layers: readonly string[];
      readonly upper?: string;
      readonly work?: string;
      /** Mount only this path of the merged tree: absolute within it, symlinks followed inside it. */
      readonly subpath: string;
      readonly target: string;
      readonly readonly: boolean;
    }
  | { readonly kind: 'proc'; readonly target: string }
  /**
   * /sys, read-only: a new one, which has the devices of the sandbox's own network. Where the kernel
   * refuses that (the host's network in a user namespace), the host's with all that is mounted there.
   */
  | { readonly kind: 'sysfs'; readonly target: string }
  /** The control groups, read-only: from the sandbox's own on (cgroup 2), or the host's trees (cgroup 1). */
  | { readonly kind: 'cgroup'; readonly target: string }
  | { readonly kind: 'mqueue'; readonly target: string }
  | { readonly kind: 'devpts'; readonly target: string }
  /**
   * A device node of the host: its path, relative to /dev, on a file that is made at the target. One that
   * the host does not have is left out unless it is `required`. Mode and owner are the host's unless said
   * otherwise; in a user namespace they always are.
   */
  | {
      readonly kind: 'device';
      readonly name: string;
      readonly target: string;
      readonly required?: boolean;
      readonly mode?: number;
      readonly uid?: number;
      readonly gid?: number;
    }
  | { readonly kind: 'symlink'; readonly target: string; readonly to: string }
  /** A directory made inside an earlier mount (a tmpfs). */
  | { readonly kind: 'directory'; readonly target: string; readonly mode: number }
  /** An empty file made inside an earlier mount, for a file to be mounted on. */
  | { readonly kind: 'stub'; readonly target: string }
  /** A file with these bytes (base64, small), on a memory-backed filesystem of its own, mounted on the target. */
  | {
      readonly kind: 'file';
      readonly target: string;
      readonly content: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      readonly readonly: boolean;
      readonly flags: readonly MountFlag[];
    }
  /** A socket through which the ssh agent behind `socket` lists keys and signs, and does nothing else. */
  | {
      readonly kind: 'agent';
      readonly socket: string;
      /** Where the helper makes the socket that is mounted, until the RUN ends; nothing is there yet. */
      readonly listen: string;
      readonly target: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** Hides a file or directory, if it exists. */
  | { readonly kind: 'mask'; readonly target: string }
  /** Makes a path read-only, if it exists. */
  | { readonly kind: 'readonly'; readonly target: string };

export type MountFlag = 'nosuid' | 'nodev' | 'noexec';
