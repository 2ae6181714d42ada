export type { ArchiveFormat } from "./archive/archive-format.ts";
export type { ArchiveWriterOptions } from "./archive/archive-writer.ts";
export {
  type CreateArchiveOptions,
  createArchive,
  type FillArchive,
  streamArchive,
} from "./archive/create-archive.ts";
export {
  type ArchiveForm,
  type ArchiveLimits,
  defaultArchiveLimits,
  ImageArchive,
  type OpenImageArchiveOptions,
} from "./archive/image-archive.ts";
export type { RunHelperOptions } from "./auth/credential-helper.ts";
export type { CredentialProvider, Credentials } from "./auth/credentials.ts";
export {
  dockerCredentials,
  eraseCredentials,
  storeCredentials,
} from "./auth/docker-credentials.ts";
export type { ForeignRealmPolicy } from "./auth/realm.ts";
export { attach, type PackOptions, pack } from "./content/artifact.ts";
export { type Compression, detectCompression, magicBytes } from "./content/compression.ts";
export {
  type CopyEvent,
  type CopyOptions,
  copy,
  copyGraph,
  type FetchManifestOptions,
  fetchManifestBytes,
  forEachLimited,
} from "./content/copy.ts";
export {
  type Descriptor,
  describe,
  emptyDescriptor,
  emptyJson,
  type Platform,
  readDigest,
} from "./content/descriptor.ts";
export {
  type Digest,
  type DigestAlgorithm,
  Digester,
  digestAlgorithm,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
  pinnedDigest,
} from "./content/digest.ts";
export { type DiscoverOptions, discover, extendedCopy, type Referrer } from "./content/discover.ts";
export { type FetchBytesOptions, fetchBytes } from "./content/fetch-bytes.ts";
export {
  type Index,
  type Manifest,
  type ManifestDocument,
  maxManifestBytes,
  type ParseManifestOptions,
  parseManifest,
  successorsOf,
} from "./content/manifest.ts";
export {
  bareMediaType,
  hasSuccessors,
  isIndexType,
  isManifestType,
  mediaTypes,
} from "./content/media-types.ts";
export { MemoryTarget } from "./content/memory-target.ts";
export {
  formatRegistryReference,
  isRegistryHost,
  isRepository,
  isTag,
  parseRegistryReference,
  type ReferenceParts,
  type RegistryReference,
  splitReference,
} from "./content/reference.ts";
export { releaseChunk } from "./content/release-chunk.ts";
export {
  type BlobSource,
  bytesSource,
  type ContentLease,
  type ContentOrigin,
  type CopyDestination,
  type FetchedManifest,
  type Fetcher,
  type FetchOptions,
  type GraphTarget,
  type OperationOptions,
  type Pusher,
  type ReadonlyStorage,
  type ReadonlyTarget,
  type ReferenceFetcher,
  type Resolver,
  type Tagger,
  type Target,
} from "./content/target.ts";
export { untilAborted } from "./content/until-aborted.ts";
export { readAll, verifyBytes, verifyContent } from "./content/verify.ts";
export { OrasError, type OrasErrorCode, type OrasErrorOptions, orasErrorKinds } from "./errors.ts";
export {
  type ArtifactFile,
  type PulledFile,
  type PullFilesOptions,
  pullFiles,
  pushFiles,
  type TransferFilesOptions,
} from "./files/artifact-files.ts";
export { type ParseJsonOptions, parseJson } from "./json/parse-json.ts";
export {
  Misfit,
  readField,
  readFields,
  readFlag,
  readList,
  readMap,
  readNullish,
  readText,
  type ValueReader,
} from "./json/read-value.ts";
export type { StoredBlob } from "./layout/blob-files.ts";
export type { NamedEntry } from "./layout/choose-entry.ts";
export { nameAnnotations, namesOf } from "./layout/index-file.ts";
export {
  defaultLayoutLimits,
  type LayoutLimits,
  OciLayout,
  type OciLayoutOptions,
} from "./layout/oci-layout.ts";
export type { RemovePartialsOptions } from "./layout/partial-blobs.ts";
export { MirroredRepository, openRepository } from "./remote/mirrored-repository.ts";
export { type PushOptions, type ReferrersOptions, RemoteRepository } from "./remote/repository.ts";
export {
  RegistryClient,
  type RegistryClientOptions,
  type RegistryRequest,
} from "./transport/client.ts";
export type { ConnectionsOptions, ProxyOptions } from "./transport/connections.ts";
export type { Endpoint, HostOptions, MirrorOptions } from "./transport/endpoint.ts";
export {
  defaultRetryLimits,
  type Pacing,
  type RetryCounter,
  type RetryLimits,
  systemPacing,
} from "./transport/pacing.ts";
export { defaultRegistryLimits, type RegistryLimits } from "./transport/registry-limits.ts";
export type { RegistryResponse } from "./transport/response.ts";
export type { RegistryWarning } from "./transport/warnings.ts";
