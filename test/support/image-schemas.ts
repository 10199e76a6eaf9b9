/** The image-spec's own JSON schemas, and whether documents pass them. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import draft04 from 'ajv-draft-04';

const FOLDER = new URL('../fixtures/image-spec/', import.meta.url);
const SCHEMAS = {
  layout: 'image-layout-schema.json',
  index: 'image-index-schema.json',
  manifest: 'image-manifest-schema.json',
  config: 'config-schema.json',
} as const;

/** The documents that have a schema. */
export type SchemaName = keyof typeof SCHEMAS;

/** The media types of media-types.md, and Docker's, with which it says that they are compatible. */
const MEDIA_TYPES: Readonly<Record<'index' | 'manifest' | 'config' | 'layer', readonly RegExp[]>> =
  {
    index: [
      /^application\/vnd\.oci\.image\.index\.v1\+json$/,
      /^application\/vnd\.docker\.distribution\.manifest\.list\.v2\+json$/,
    ],
    manifest: [
      /^application\/vnd\.oci\.image\.manifest\.v1\+json$/,
      /^application\/vnd\.docker\.distribution\.manifest\.v2\+json$/,
    ],
    config: [
      /^application\/vnd\.oci\.image\.config\.v1\+json$/,
      /^application\/vnd\.docker\.container\.image\.v1\+json$/,
      /^application\/vnd\.oci\.empty\.v1\+json$/,
    ],
    layer: [
      /^application\/vnd\.oci\.image\.layer\.v1\.tar(?:\+gzip|\+zstd)?$/,
      /^application\/vnd\.docker\.image\.rootfs\.diff\.tar(?:\.gzip)?$/,
      /^application\/vnd\.in-toto\+json$/,
    ],
  };

const ajv = new draft04.default({
  strict: false,
  allErrors: true,
  formats: {
    'date-time': (text: string) =>
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text),
    uri: (text: string) => URL.canParse(text),
  },
});
for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.json'))) {
  // Without their ids, which change what the file names they refer to are relative to.
  const text = readFileSync(new URL(file, FOLDER), 'utf8');
  const schema: unknown = JSON.parse(text, (key, value: unknown) =>
    key === 'id' ? undefined : value,
  );
  ajv.addSchema(schema as object, file);
}

/** Fails unless a document passes its schema. */
export function assertSchema(name: SchemaName, document: unknown): void {
  ajv.validate(SCHEMAS[name], document);
  const errors = (ajv.errors ?? []).filter((error) => !isOfNoLayers(error));
  assert.equal(errors.length, 0, `${ajv.errorsText(errors)}\n${JSON.stringify(document)}`);
}

/** The text of the spec only advises a layer, and an image of a configuration alone has none, here as in BuildKit. */
function isOfNoLayers({
  instancePath,
  keyword,
}: {
  instancePath: string;
  keyword: string;
}): boolean {
  return instancePath === '/layers' && keyword === 'minItems';
}

/** Fails unless a media type is one that the image-spec knows for this. */
export function assertMediaType(kind: keyof typeof MEDIA_TYPES, mediaType: string): void {
  const isKnown = MEDIA_TYPES[kind].some((type) => type.test(mediaType));
  assert.ok(isKnown, `"${mediaType}" is no type of a ${kind}`);
}
