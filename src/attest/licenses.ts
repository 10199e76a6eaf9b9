/** Licenses as SPDX documents have them: expressions over known ids, or texts that the document explains. */

import { createHash } from 'node:crypto';
import parse from 'spdx-expression-parse';

export interface DeclaredLicense {
  /** An expression, a `LicenseRef-…`, or NOASSERTION. */
  readonly expression: string;
  /** What the `LicenseRef-…` stands for. */
  readonly extracted: { readonly licenseId: string; readonly extractedText: string } | undefined;
}

/** Characters: beyond that it is the text of a license. */
const LONGEST = 1000;

/** What a package says of its license. */
export function declaredLicense(text: string | undefined): DeclaredLicense {
  const given = text?.trim();
  if (!given) return { expression: 'NOASSERTION', extracted: undefined };
  if (isExpression(given)) return { expression: given, extracted: undefined };
  const hash = createHash('sha256').update(given).digest('hex').slice(0, 16);
  const licenseId = `LicenseRef-${hash}`;
  return { expression: licenseId, extracted: { licenseId, extractedText: given } };
}

function isExpression(text: string): boolean {
  if (text.length > LONGEST) return false;
  // References are to this document's own texts.
  if (/(?:License|Document)Ref-/.test(text)) return false;
  try {
    parse(text);
    return true;
  } catch {
    // "GPLv2+" and the like: a license all the same.
    return false;
  }
}
