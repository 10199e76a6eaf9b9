/** Keys, records and the store on disk. Start reading at README.md. */

export type { BlobName } from './blobs.ts';
export type { StoredDownload } from './downloads.ts';
export { type CacheKey, cacheKey, canonicalJson, FORMAT_VERSION, type JsonValue } from './keys.ts';
export type { NamedImage } from './images.ts';
export { type DirectoryFlavor, type LayerFacts, type LayerID, parseLayerID } from './layers.ts';
export type { Workspace } from './lease.ts';
export { makeDirectory } from './make-directory.ts';
export type { CacheRecord } from './records.ts';
export { openStore, type Store } from './store.ts';
