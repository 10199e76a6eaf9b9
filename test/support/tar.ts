/** Tars made by hand, also such as no honest program makes. */

/** A member; a header field that is missing has its usual value. */
export interface TarMember {
  readonly name: string;
  readonly type?: string;
  readonly link?: string;
  readonly content?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly mtime?: number;
  /** Major and minor. */
  readonly device?: readonly [number, number];
  /** Records of a PAX header before it; values are byte strings. */
  readonly pax?: Readonly<Record<string, string>>;
  /** The size in the header, when it is not the content's. */
  readonly size?: number;
}

/** The bytes of a tar. */
export function tar(members: readonly TarMember[]): Buffer {
  return Buffer.concat([...members.map(tarMember), Buffer.alloc(1024)]);
}

/** The blocks of one member. */
export function tarMember(member: TarMember): Buffer {
  const content = Buffer.from(member.content ?? '');
  const pax = Object.entries(member.pax ?? {}).map(([key, value]) => paxRecord(key, value));
  const before =
    pax.length === 0 ? [] : [tarMember({ name: 'pax', type: 'x', content: Buffer.concat(pax) })];
  return Buffer.concat([...before, header(member, content), content, padding(content.length)]);
}

export function padding(length: number): Buffer {
  return Buffer.alloc((512 - (length % 512)) % 512);
}

export function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`, 'latin1');
  let length = rest.length;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function header(member: TarMember, content: Buffer): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, '0'), at);
  block.write(member.name, 0, 100, 'latin1');
  octal(member.mode ?? 0o644, 100, 8);
  octal(member.uid ?? 0, 108, 8);
  octal(0, 116, 8);
  octal(member.size ?? content.length, 124, 12);
  octal(member.mtime ?? 0, 136, 12);
  block.write(member.type ?? '0', 156);
  block.write(member.link ?? '', 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const [major, minor] = member.device ?? [0, 0];
  octal(major, 329, 8);
  octal(minor, 337, 8);
  block.fill(' ', 148, 156);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  block[154] = 0;
  return block;
}
