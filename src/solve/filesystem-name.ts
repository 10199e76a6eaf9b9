/** Filesystems by the number that statfs(2) tells. */

const NAMES: ReadonlyMap<number, string> = new Map([
  [0x794c7630, 'overlay'],
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
  [0xca451a4e, 'bcachefs'],
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9p'],
  [0x65735546, 'FUSE'],
  [0x4d44, 'FAT'],
  [0x73717368, 'squashfs'],
  [0x786f4256, 'vboxsf'],
]);

/** E.g. `ext4`; a number that is not known stays one. */
export function filesystemName(type: number | undefined): string {
  if (type === undefined) return 'an unknown filesystem';
  return NAMES.get(type >>> 0) ?? `filesystem 0x${(type >>> 0).toString(16)}`;
}
