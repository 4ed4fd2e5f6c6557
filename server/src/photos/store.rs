//! Where photo bytes rest: a local folder, or S3-compatible object storage.
//!
//! ```text
//! photos/<first 2 hex>/<sha256>.jpg|png       finished photos, by content
//! thumbnails/<first 2 hex>/<sha256>.jpg       their thumbnails, by the photo's content
//! quarantine/<first 2 hex>/<sha256>           bytes that arrived whole but are no acceptable image (R-TEST-5)
//! staging/<photo id>/<offset>-<part id>       received pieces of unfinished uploads
//! ```
//!
//! Every write is whole or absent, and durable before it returns. A part's name is drawn anew for every write, so that two
//! servers that receive the same piece at once can never overwrite each other's; the upload's row says which parts count.
//! What does not belong here: what may be stored (`verify`, `service`), and the rows.

use bytes::{Bytes, BytesMut};
use callout_sync_protocol::ids::PhotoId;
use callout_sync_protocol::photos::{MediaType, PhotoHash};
use callout_sync_protocol::time::Timestamp;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    ClientOptions, Error as ObjectError, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path as FolderPath;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How long a connection to object storage may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request to object storage may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a failing request is tried again before the phone is told to come back later.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// Why bytes could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum PhotoStoreError {
    /// The object is not there.
    #[error("the object {path} is not in the photo store")]
    NotFound {
        /// Its path.
        path: String,
    },
    /// The object is there, but not as it was written.
    #[error("the object {path} in the photo store is damaged")]
    Damaged {
        /// Its path.
        path: String,
    },
    /// The settings cannot be used.
    #[error("photo store settings: {0}")]
    Settings(String),
    /// The store cannot be reached, or refuses.
    #[error("the photo store failed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ObjectError> for PhotoStoreError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::NotFound { path, .. } => Self::NotFound { path },
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

/// A password or key that no log ever shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// How to reach a bucket of S3-compatible storage.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Settings {
    /// Such as `https://s3.example.com`; absent for Amazon's own. `http://` is accepted for servers on the same machine or net.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The bucket; it must exist.
    pub bucket: String,
    /// The region, such as `cn-north-1`.
    pub region: String,
    /// The access key's id.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: Secret,
    /// Whether the bucket stands in the path (most self-hosted servers) or in the host name (Amazon).
    #[serde(default)]
    pub path_style: bool,
}

/// A received piece of an unfinished upload, as its row keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagedPart {
    /// Offset of its first byte in the photo.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// Drawn anew for every write.
    pub part_id: Uuid,
}

impl StagedPart {
    fn path(&self, photo_id: PhotoId) -> Path {
        Path::from_iter(["staging".to_owned(), photo_id.to_string(), format!("{}-{}", self.offset, self.part_id)])
    }
}

/// A part found in the store, whoever it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPart {
    /// The photo.
    pub photo_id: PhotoId,
    /// When it was written, by the store's clock.
    pub written_at: Timestamp,
    path: Path,
}

impl FoundPart {
    /// Whether it is that part of its photo's upload.
    pub fn is(&self, part: &StagedPart) -> bool {
        self.path == part.path(self.photo_id)
    }
}

/// A stored object, to be streamed to a reader.
pub struct StoredBytes {
    /// How many bytes.
    pub length: u64,
    /// The bytes.
    pub stream: BoxStream<'static, Result<Bytes, PhotoStoreError>>,
}

/// Where photo bytes rest. Cheap to clone.
#[derive(Clone)]
pub struct PhotoStore {
    objects: Arc<dyn ObjectStore>,
}

impl fmt::Debug for PhotoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhotoStore({})", self.objects)
    }
}

impl PhotoStore {
    /// A local folder, made if it does not exist. Each write is flushed to disk, file and folder, before it counts.
    pub fn open_folder(folder: &FolderPath) -> Result<Self, PhotoStoreError> {
        std::fs::create_dir_all(folder).map_err(|error| {
            PhotoStoreError::Settings(format!("the folder {} cannot be made: {error}", folder.display()))
        })?;
        let objects = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { objects: Arc::new(objects) })
    }

    /// A bucket of S3-compatible storage. Nothing is sent yet; see [`PhotoStore::check`].
    pub fn open_s3(settings: &S3Settings) -> Result<Self, PhotoStoreError> {
        // The process may have chosen its provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain_http = settings.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(&settings.secret_access_key.0)
            .with_virtual_hosted_style_request(!settings.path_style)
            .with_retry(RetryConfig { retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() })
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(plain_http)
                    .with_connect_timeout(CONNECT_TIMEOUT)
                    .with_timeout(REQUEST_TIMEOUT),
            );
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let objects = builder.build().map_err(|error| PhotoStoreError::Settings(error.to_string()))?;
        Ok(Self { objects: Arc::new(objects) })
    }

    /// Any object store; lets tests put faults between.
    pub fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects }
    }

    /// Whether the store answers; for the readiness probe.
    pub async fn check(&self) -> Result<(), PhotoStoreError> {
        match self.objects.head(&Path::from("staging/readiness-probe")).await {
            Ok(_) | Err(ObjectError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a received piece. It counts only once the upload's row names it.
    pub async fn part_put(&self, photo_id: PhotoId, part: &StagedPart, bytes: Bytes) -> Result<(), PhotoStoreError> {
        self.objects.put(&part.path(photo_id), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// Reads pieces in their order into one buffer. The caller bounds their total length.
    pub async fn parts_read(&self, photo_id: PhotoId, parts: &[StagedPart]) -> Result<BytesMut, PhotoStoreError> {
        let total: u64 = parts.iter().map(|part| part.length).sum();
        let mut whole = BytesMut::with_capacity(usize::try_from(total).unwrap_or(0));
        for part in parts {
            let path = part.path(photo_id);
            let mut stream = self.objects.get(&path).await?.into_stream();
            let before = whole.len();
            while let Some(piece) = stream.try_next().await? {
                whole.extend_from_slice(&piece);
            }
            if (whole.len() - before) as u64 != part.length {
                return Err(PhotoStoreError::Damaged { path: path.to_string() });
            }
        }
        Ok(whole)
    }

    /// Deletes pieces; those already gone are no error.
    pub async fn parts_delete(&self, photo_id: PhotoId, parts: &[StagedPart]) -> Result<(), PhotoStoreError> {
        self.delete_all(parts.iter().map(|part| part.path(photo_id)).collect()).await
    }

    /// Every piece that was written before `written_before`, whether or not a row still names it.
    pub async fn parts_found(&self, written_before: Timestamp) -> Result<Vec<FoundPart>, PhotoStoreError> {
        let mut found = Vec::new();
        let mut list = self.objects.list(Some(&Path::from("staging")));
        while let Some(object) = list.try_next().await? {
            let written_at = Timestamp::from_unix_micros(object.last_modified.timestamp_micros());
            let photo_id = object.location.parts().nth(1).and_then(|part| part.as_ref().parse().ok());
            if let (Some(written_at), Some(photo_id)) = (written_at, photo_id)
                && written_at < written_before
            {
                found.push(FoundPart { photo_id, written_at, path: object.location });
            }
        }
        Ok(found)
    }

    /// Deletes pieces that [`PhotoStore::parts_found`] found.
    pub async fn found_delete(&self, parts: Vec<FoundPart>) -> Result<(), PhotoStoreError> {
        self.delete_all(parts.into_iter().map(|part| part.path).collect()).await
    }

    /// Stores a finished photo, unless its content is there already. The caller has verified that the bytes have that hash.
    pub async fn photo_put(&self, hash: PhotoHash, media_type: MediaType, bytes: Bytes) -> Result<(), PhotoStoreError> {
        self.put_by_content(photo_path(hash, media_type), bytes).await
    }

    /// Stores a photo's thumbnail.
    pub async fn thumbnail_put(&self, photo: PhotoHash, bytes: Bytes) -> Result<(), PhotoStoreError> {
        self.objects.put(&thumbnail_path(photo), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// Keeps bytes that are what the phone promised, but no acceptable image.
    pub async fn quarantine_put(&self, hash: PhotoHash, bytes: Bytes) -> Result<(), PhotoStoreError> {
        self.put_by_content(quarantine_path(hash), bytes).await
    }

    /// A finished photo.
    pub async fn photo_get(&self, hash: PhotoHash, media_type: MediaType) -> Result<StoredBytes, PhotoStoreError> {
        self.get(&photo_path(hash, media_type)).await
    }

    /// A photo's thumbnail, a JPEG.
    pub async fn thumbnail_get(&self, photo: PhotoHash) -> Result<StoredBytes, PhotoStoreError> {
        self.get(&thumbnail_path(photo)).await
    }

    /// Quarantined bytes, of no known format.
    pub async fn quarantine_get(&self, hash: PhotoHash) -> Result<StoredBytes, PhotoStoreError> {
        self.get(&quarantine_path(hash)).await
    }

    async fn get(&self, path: &Path) -> Result<StoredBytes, PhotoStoreError> {
        let found = self.objects.get(path).await?;
        Ok(StoredBytes { length: found.meta.size, stream: found.into_stream().map_err(PhotoStoreError::from).boxed() })
    }

    async fn put_by_content(&self, path: Path, bytes: Bytes) -> Result<(), PhotoStoreError> {
        let length = bytes.len() as u64;
        match self.objects.put_opts(&path, PutPayload::from(bytes.clone()), PutMode::Create.into()).await {
            Ok(_) => Ok(()),
            // S3 answers a lost race on the same key with a failed precondition instead.
            Err(ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. }) => {
                // The name is the content's hash; another length can only be damage done to the store, mended here.
                if self.objects.head(&path).await?.size != length {
                    tracing::warn!(%path, "a stored photo had the wrong length and is written again");
                    self.objects.put(&path, PutPayload::from(bytes)).await?;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn delete_all(&self, paths: Vec<Path>) -> Result<(), PhotoStoreError> {
        let locations = futures_util::stream::iter(paths.into_iter().map(Ok)).boxed();
        let mut deleted = self.objects.delete_stream(locations);
        while let Some(result) = deleted.next().await {
            match result {
                Ok(_) | Err(ObjectError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn by_content(folder: &str, hash: PhotoHash, extension: &str) -> Path {
    let hex = hash.to_string();
    Path::from(format!("{folder}/{}/{hex}{extension}", &hex[..2]))
}

fn photo_path(hash: PhotoHash, media_type: MediaType) -> Path {
    let extension = match media_type {
        MediaType::Jpeg => ".jpg",
        MediaType::Png => ".png",
    };
    by_content("photos", hash, extension)
}

fn thumbnail_path(photo: PhotoHash) -> Path {
    by_content("thumbnails", photo, ".jpg")
}

fn quarantine_path(hash: PhotoHash) -> Path {
    by_content("quarantine", hash, "")
}
