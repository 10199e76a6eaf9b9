/** All documents of a name, for who wants every platform of it. */

import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { familiarName, type Reference } from '../oci/reference.ts';
import { checkDepth, DOCUMENT_TYPES, parseDocument } from './documents.ts';
import { type Document, MAX_CONFIG, MAX_MANIFEST } from './image-source.ts';
import { type DocumentCache, type PullOptions, pullDocument, rootOnce } from './pull.ts';

/**
 * Fetches a name's index, manifests and configs into `documents`, and tells the digest that the name stands
 * for. Layers stay where they are. @throws ERR_IMAGE_NOT_FOUND, ERR_IMAGE_INVALID, ERR_REGISTRY_*
 */
export async function pullDocuments(
  reference: Reference,
  options: PullOptions & { readonly documents: DocumentCache },
): Promise<Digest> {
  const name = familiarName(reference);
  const fetchAll = async ({ mediaType, bytes }: Document, depth: number): Promise<void> => {
    checkDepth(depth, name);
    const parsed = parseDocument({ mediaType, bytes }, name);
    if (parsed.kind === 'manifest') {
      await pullDocument(reference, parsed.manifest.config, MAX_CONFIG, options);
      return;
    }
    for (const child of parsed.index.manifests.filter(isDocument)) {
      const document = await pullDocument(reference, child, MAX_MANIFEST, options);
      await fetchAll({ mediaType: child.mediaType, bytes: document }, depth + 1);
    }
  };
  const root = await rootOnce(reference, options);
  await fetchAll(root, 0);
  return digestOf(root.bytes);
}

function isDocument({ mediaType }: Descriptor): boolean {
  return DOCUMENT_TYPES.includes(mediaType);
}
