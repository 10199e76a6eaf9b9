/**
 * Who owns what COPY makes, and whom RUN runs as: names looked up in the texts of an image's
 * /etc/passwd and /etc/group. Undefined stands for a file that the image does not have.
 */

import { TsbuildError } from '../errors.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A process's identity. */
export interface User extends Owner {
  /** The group, then the supplementary ones in the order of the group file: what id(1) lists. */
  readonly groups: readonly number[];
  readonly home: string;
}

/**
 * `--chown=user[:group]` (CP-13). A number is taken as it is, and alone it is the gid, too; a user's
 * name alone stands for the user's own group. @throws ERR_OWNER_UNKNOWN for a name that is not there
 */
export function resolveOwner(
  spec: string,
  passwd: string | undefined,
  group: string | undefined,
): Owner {
  const { user, groupName } = splitSpec(spec);
  const uid = parseID(user);
  const owner = uid === undefined ? findUser(user, passwd) : { uid, gid: uid };
  if (owner === undefined) throw unknown(`Cannot use the owner "${spec}"`, 'user', user);
  if (groupName === '') return { uid: owner.uid, gid: owner.gid };
  const gid = parseID(groupName) ?? findGroup(groupName, group);
  if (gid === undefined) throw unknown(`Cannot use the owner "${spec}"`, 'group', groupName);
  return { uid: owner.uid, gid };
}

/**
 * USER at a RUN (META-4). A number need not be in the passwd file, its gid is 0 then; with a group
 * given there are no supplementary groups. @throws ERR_OWNER_UNKNOWN for a name that is not there
 */
export function resolveUser(
  spec: string,
  passwd: string | undefined,
  group: string | undefined,
): User {
  const { user, groupName } = splitSpec(spec);
  const uid = parseID(user);
  const entry =
    uid === undefined ? findUser(user, passwd) : readPasswd(passwd).find((one) => one.uid === uid);
  const found = entry ?? (uid === undefined ? undefined : { uid, gid: 0, name: '', home: '' });
  if (found === undefined) throw unknown(`Cannot run as "${spec}"`, 'user', user);
  const home = found.home || (found.uid === 0 ? '/root' : '/');
  if (groupName === '') {
    const groups = [...new Set([found.gid, ...groupsOf(found.name, group)])];
    return { uid: found.uid, gid: found.gid, groups, home };
  }
  const gid = parseID(groupName) ?? findGroup(groupName, group);
  if (gid === undefined) throw unknown(`Cannot run as "${spec}"`, 'group', groupName);
  return { uid: found.uid, gid, groups: [gid], home };
}

/** Nothing before the colon, or nothing at all, is root. */
function splitSpec(spec: string): { readonly user: string; readonly groupName: string } {
  const colon = spec.indexOf(':');
  const user = colon === -1 ? spec : spec.slice(0, colon);
  return { user: user || '0', groupName: colon === -1 ? '' : spec.slice(colon + 1) };
}

/** The highest id there is: 2^32-1 means "no change" to chown(2). */
const MAX_ID = 0xffff_fffe;

function parseID(text: string): number | undefined {
  const id = /^[0-9]+$/.test(text) ? Number(text) : undefined;
  return id !== undefined && id <= MAX_ID ? id : undefined;
}

interface PasswdEntry extends Owner {
  readonly name: string;
  readonly home: string;
}

function findUser(name: string, passwd: string | undefined): PasswdEntry | undefined {
  return readPasswd(passwd).find((entry) => entry.name === name);
}

/** Lines without usable ids are passed over: an image's file may be anything. */
function readPasswd(text: string | undefined): PasswdEntry[] {
  return readLines(text).flatMap(([name = '', , uidText = '', gidText = '', , home = '']) => {
    const uid = parseID(uidText);
    const gid = parseID(gidText);
    return uid === undefined || gid === undefined ? [] : [{ name, uid, gid, home }];
  });
}

function findGroup(name: string, group: string | undefined): number | undefined {
  return readGroups(group).find((entry) => entry.name === name)?.gid;
}

function groupsOf(user: string, group: string | undefined): number[] {
  if (user === '') return [];
  return readGroups(group)
    .filter(({ members }) => members.includes(user))
    .map(({ gid }) => gid);
}

function readGroups(
  text: string | undefined,
): { readonly name: string; readonly gid: number; readonly members: readonly string[] }[] {
  return readLines(text).flatMap(([name = '', , gidText = '', members = '']) => {
    const gid = parseID(gidText);
    return gid === undefined ? [] : [{ name, gid, members: members.split(',') }];
  });
}

function readLines(text = ''): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function unknown(
  message: string,
  kind: 'user' | 'group',
  owner: string,
): TsbuildError<'ERR_OWNER_UNKNOWN'> {
  const file = kind === 'user' ? 'passwd' : 'group';
  return new TsbuildError('ERR_OWNER_UNKNOWN', {
    message: `${message}: unable to find ${kind} ${owner}: no matching entries in ${file} file`,
    details: { owner },
    hint: `Add it in an earlier RUN, or write its number: only names must be in /etc/${file}.`,
  });
}
