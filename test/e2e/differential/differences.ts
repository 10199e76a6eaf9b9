/** Where Buildah differs from BuildKit, whose way is ours: docs/differences.md gives the reasons. */

export interface Difference {
  /** Its heading in docs/differences.md. */
  readonly title: string;
  /** By case and path: ours, then Buildah's. The path of a build that fails is ''. */
  readonly cases: Readonly<Record<string, Readonly<Record<string, readonly [string, string]>>>>;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    title: 'A destination that is a symlink to a file',
    cases: {
      'file through a symlink to a file': {
        file: ['file 644 0:0 252f10c8 old', 'file 644 0:0 3b9c358f'],
        filelink: ['symlink 0:0 file', 'file 644 0:0 252f10c8 old'],
      },
    },
  },
  {
    title: 'A destination that is a dangling symlink',
    cases: {
      'destination is a dangling symlink': {
        'made/here': ['file 644 0:0 252f10c8 old', 'directory 755 0:0'],
        'made/here/f': ['', 'file 644 0:0 252f10c8 old'],
      },
    },
  },
  {
    title: 'A file where a folder is, a folder where a symlink is',
    cases: {
      'file with a folder of its name at the destination': { '': ['fails', 'builds'] },
      'folder with a symlink of a folder’s name': { '': ['fails', 'builds'] },
      'folder replaced by a file': { '': ['fails', 'builds'] },
    },
  },
  {
    title: 'Several files onto one name',
    cases: {
      'several files onto a name': { '': ['fails', 'builds'] },
    },
  },
  {
    title: 'Names with brackets',
    cases: {
      star: { '': ['builds', 'fails'] },
      'escaped bracket': { '': ['builds', 'fails'] },
    },
  },
  {
    title: 'New folders and an octal --chmod',
    cases: {
      'chmod of three digits': { 'new': ['directory 600 0:0', 'directory 755 0:0'] },
      'chmod of a folder': { 'new': ['directory 711 0:0', 'directory 755 0:0'] },
      'chmod and chown': { 'new': ['directory 700 5:6', 'directory 755 5:6'] },
    },
  },
  {
    title: 'Set-id and sticky bits',
    cases: {
      'source with a slash at its end': {
        'new/empty': ['directory 2711 0:0', 'directory 711 0:0'],
      },
      'modes of files': { 'new/suid': ['file 4755 0:0 15460c0b old', 'file 755 0:0 15460c0b old'] },
      'folder to a new name': { 'new/empty': ['directory 2711 0:0', 'directory 711 0:0'] },
      'folder to a new name with a slash': {
        'new/empty': ['directory 2711 0:0', 'directory 711 0:0'],
      },
      'folder into one that is there': { 'dir/empty': ['directory 2711 0:0', 'directory 711 0:0'] },
      'two folders': { 'new/empty': ['directory 2711 0:0', 'directory 711 0:0'] },
      'two folders of one name inside': {
        'new/empty': ['directory 2711 0:0', 'directory 711 0:0'],
      },
      'whole context': {
        'all/d/empty': ['directory 2711 0:0', 'directory 711 0:0'],
        'all/suid': ['file 4755 0:0 15460c0b old', 'file 755 0:0 15460c0b old'],
      },
      'whole context by a slash': {
        'all/d/empty': ['directory 2711 0:0', 'directory 711 0:0'],
        'all/suid': ['file 4755 0:0 15460c0b old', 'file 755 0:0 15460c0b old'],
      },
      'dot to dot': { 'work/empty': ['directory 2711 0:0', 'directory 711 0:0'] },
      'source is a symlink to a folder': {
        'new/empty': ['directory 2711 0:0', 'directory 711 0:0'],
      },
      'source is an absolute symlink': { 'new/empty': ['directory 2711 0:0', 'directory 711 0:0'] },
      'source is a chain of symlinks': { 'new/empty': ['directory 2711 0:0', 'directory 711 0:0'] },
      'star that finds folders': { 'new/empty': ['directory 2711 0:0', 'directory 711 0:0'] },
      'chown by number': { 'new/empty': ['directory 2711 5:5', 'directory 711 5:5'] },
      'chown by numbers': { 'new/empty': ['directory 2711 5:6', 'directory 711 5:6'] },
      'from a stage by name': { 'new/empty': ['directory 2711 5:6', 'directory 711 5:6'] },
      'from a stage, everything': { 'new/d/empty': ['directory 2711 0:0', 'directory 711 0:0'] },
      'onto scratch': { 'd/empty': ['directory 2711 0:0', 'directory 711 0:0'] },
      'ADD of a folder': { 'new/empty': ['directory 2711 0:0', 'directory 711 0:0'] },
    },
  },
  {
    title: 'An archive that is cut off, or climbs out',
    cases: {
      'ADD of a truncated archive': { '': ['fails', 'builds'] },
      'ADD of an archive that climbs': { '': ['fails', 'builds'] },
    },
  },
  {
    title: "An archive's own ./",
    cases: {
      'ADD of an archive with its own folder in it': {
        dir: ['directory 711 7:8', 'directory 700 9:0'],
      },
    },
  },
  {
    title: 'A folder of an archive where a symlink is',
    cases: {
      'ADD of an archive with a folder where a symlink is': {
        lib: ['symlink 0:0 usr/lib', 'directory 711 3:0'],
        'usr/lib': ['directory 711 3:0', 'directory 755 0:0'],
        'usr/lib/new': ['file 644 0:0 23926f38 old', ''],
        'lib/new': ['', 'file 644 0:0 23926f38 old'],
      },
    },
  },
  {
    title: 'ADD --chown of an archive',
    cases: {
      'ADD of an archive with chown': {
        'new/implied': ['directory 755 0:0', 'directory 755 5:6'],
        'new/implied/dirs': ['directory 755 0:0', 'directory 755 5:6'],
        'new/implied/dirs/file': ['file 644 5:6 74611c1d old', 'file 644 13:0 74611c1d old'],
        'new/m': ['directory 750 5:6', 'directory 750 11:0'],
        'new/m/file': [
          'file 640 5:6 = new/m/file e31ab643 old',
          'file 640 12:0 = new/m/file e31ab643 old',
        ],
        'new/m/hard': [
          'file 640 5:6 = new/m/file e31ab643 old',
          'file 640 12:0 = new/m/file e31ab643 old',
        ],
        'new/m/link': ['symlink 5:6 file old', 'symlink 0:0 file old'],
        'new/m/suid': ['file 4711 5:6 043a7187 old', 'file 4711 0:0 043a7187 old'],
        'new/x': ['file 644 5:6 59175dbc old', 'file 644 0:0 59175dbc old'],
      },
    },
  },
];
