/** What a replay of the build cases came to, held against the exceptions that docs/corpus.md lists. */

/** What the page says of a case that does not simply pass. */
export interface Exception {
  readonly name: string;
  /** Whether the replayer counts it as passed all the same. */
  readonly passes: boolean;
}

/** A case's outcome, and what the replayer printed for it. */
export interface Verdict {
  readonly name: string;
  readonly passes: boolean;
  readonly text: string;
}

/** A case, as build-cases.json has it. */
export interface BuildCase {
  readonly name: string;
  /** Why other builders do not agree about it. */
  readonly peersDisagree?: string;
}

/** The rows of the page's table: "| `name` | passes, or not | reason |". */
export function readExceptions(page: string): readonly Exception[] {
  return [...page.matchAll(/^\| `([^`]+)` \| (passes|fails) \| \S.* \|$/gm)].map(
    ([, name = '', outcome]) => ({ name, passes: outcome === 'passes' }),
  );
}

/** The verdicts that the replayer printed with `-v`: "ok   name", or "FAIL name" and its reasons below. */
export function readVerdicts(output: string): readonly Verdict[] {
  return output
    .split(/^(?=(?:ok|soft|FAIL) +\S)/m)
    .map((text) => ({ text, start: /^(ok|soft|FAIL) +(\S+)/.exec(text) }))
    .flatMap(({ text, start }) => {
      const [, word, name] = start ?? [];
      return name === undefined ? [] : [{ name, passes: word !== 'FAIL', text: text.trimEnd() }];
    });
}

/** What is wrong, a sentence each; nothing when the verdicts are those that the page tells of. */
export function complaints(
  verdicts: readonly Verdict[],
  cases: readonly BuildCase[],
  exceptions: readonly Exception[],
): readonly string[] {
  const listed = new Map(exceptions.map((exception) => [exception.name, exception]));
  const known = new Set(cases.map(({ name }) => name));
  return [
    ...verdicts.flatMap(({ name, passes }) => {
      const expected = listed.get(name)?.passes ?? true;
      if (passes === expected) return [];
      return [passes ? `"${name}" passes, and is listed as one that fails` : `"${name}" fails`];
    }),
    ...cases
      .filter(({ name, peersDisagree }) => peersDisagree !== undefined && !listed.has(name))
      .map(({ name }) => `"${name}", about which builders disagree, is not listed`),
    ...exceptions
      .filter(({ name }) => !known.has(name))
      .map(({ name }) => `"${name}" is listed, and there is no such case`),
  ];
}
