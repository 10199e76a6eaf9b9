/** Where base images come from. */

export { type RegistryClient, type RegistryClientOptions, createRegistryClient } from './client.ts';
export { type CredentialSource, describeCredentials } from './describe-credentials.ts';
export { describeSettings, type RegistrySettingsReport } from './describe-settings.ts';
export { fetchBlob } from './fetch-blob.ts';
export type { ImageSource, PulledImage } from './image-source.ts';
export { type LayoutImage, readLayoutImages, verifyBlob } from './layout-images.ts';
export {
  formatLayoutLocation,
  type LayoutLocation,
  layoutSource,
  parseLayoutLocation,
} from './layout-source.ts';
export { type ImagePlace, locateImage } from './locate-image.ts';
export { type DocumentCache, registrySource, resolveImage } from './pull.ts';
export { pullDocuments } from './pull-documents.ts';
export {
  createPusher,
  type OnStage,
  type PushDestination,
  type Pusher,
} from './push.ts';
export { type PushContent, type PushManifest, readContent } from './push-content.ts';
export type { BlobFile } from './push-upload.ts';
export {
  type CredentialFile,
  credentialFiles,
  type SettingsPlaces,
  settingsPlaces,
} from './settings/places.ts';
