/** The smallest programs there are, one for each architecture: they end at once, with exit code 0 (MP-4). */

interface Machine {
  /** e_machine of elf(5). */
  readonly machine: number;
  readonly bits: 32 | 64;
  readonly isBigEndian?: boolean;
  readonly flags?: number;
  /** exit(0), as hexadecimal bytes. */
  readonly code: string;
}

/** By Go's names. */
const MACHINES: Readonly<Record<string, Machine>> = {
  '386': { machine: 3, bits: 32, code: 'b80100000031dbcd80' },
  amd64: { machine: 62, bits: 64, code: 'b83c00000031ff0f05' },
  // EABI 5, without which old kernels take it for a program of another system.
  arm: { machine: 40, bits: 32, flags: 0x05000000, code: '0170a0e30000a0e3000000ef' },
  arm64: { machine: 183, bits: 64, code: 'a80b8052000080d2010000d4' },
  loong64: { machine: 258, bits: 64, code: '0b7481030400150000002b00' },
  mips64le: { machine: 8, bits: 64, flags: 0x60000007, code: 'c2130224000004240c000000' },
  ppc64le: { machine: 21, bits: 64, flags: 2, code: '010000380000603802000044' },
  riscv64: { machine: 243, bits: 64, flags: 5, code: '9308d0051305000073000000' },
  s390x: { machine: 22, bits: 64, isBigEndian: true, code: 'a72900000a01' },
};

const BASE = 0x400000;

/** An executable file of a few hundred bytes; undefined for an architecture that is not known here. */
export function tinyProgram(architecture: string): Buffer | undefined {
  const found = MACHINES[architecture];
  if (found === undefined) return undefined;
  const { machine, bits, isBigEndian = false, flags = 0, code } = found;
  const wide = bits === 64;
  const headers = wide ? 64 + 56 : 52 + 32;
  const body = Buffer.from(code, 'hex');
  const size = headers + body.length;
  const words = new Words(isBigEndian, wide);
  words.bytes([
    0x7f,
    0x45,
    0x4c,
    0x46,
    wide ? 2 : 1,
    isBigEndian ? 2 : 1,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  ]);
  words
    .half(2)
    .half(machine)
    .word(1)
    .address(BASE + headers)
    .address(wide ? 64 : 52)
    .address(0);
  words
    .word(flags)
    .half(wide ? 64 : 52)
    .half(wide ? 56 : 32)
    .half(1)
    .half(wide ? 64 : 40);
  words.half(0).half(0);
  // One segment that is loaded: the file as it is, readable and executable.
  if (wide)
    words.word(1).word(5).address(0).address(BASE).address(BASE).address(size).address(size);
  else words.word(1).address(0).address(BASE).address(BASE).address(size).address(size).word(5);
  words.address(0x1000);
  return Buffer.concat([words.buffer(), body]);
}

/** Puts down numbers in the byte order of a machine. */
class Words {
  readonly #parts: Buffer[] = [];
  readonly #isBigEndian: boolean;
  readonly #isWide: boolean;

  constructor(isBigEndian: boolean, isWide: boolean) {
    this.#isBigEndian = isBigEndian;
    this.#isWide = isWide;
  }

  bytes(values: readonly number[]): this {
    this.#parts.push(Buffer.from(values));
    return this;
  }

  half(value: number): this {
    return this.#number(value, 2);
  }

  word(value: number): this {
    return this.#number(value, 4);
  }

  /** As wide as the machine. */
  address(value: number): this {
    return this.#number(value, this.#isWide ? 8 : 4);
  }

  buffer(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #number(value: number, size: number): this {
    const bytes = Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) % 256);
    return this.bytes(this.#isBigEndian ? bytes.toReversed() : bytes);
  }
}
