/** What the runner is to keep out of the log. Pure. */

/** Shorter ones would be found everywhere: so they are nowhere looked for. */
const MIN_LENGTH = 6;

/** The parts of a secret that are masked: the runner looks at lines, so each of them is one. */
export function masksOf(secret: string): readonly string[] {
  const lines = secret.split(/[\r\n]+/).map((line) => line.trim());
  return lines.filter((line) => line.length >= MIN_LENGTH);
}
