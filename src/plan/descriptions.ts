/** What comments say about stages and ARGs (DIR-9). */

import type { Instruction } from '../../parser/index.ts';

/** The rest of the first comment line above the instruction that begins with the name and a space; '' without one. */
export function descriptionOf(name: string, { leadingComments }: Instruction): string {
  const texts = leadingComments.map(({ text }) => text.trim());
  return texts.find((text) => text.startsWith(`${name} `))?.slice(name.length + 1) ?? '';
}
