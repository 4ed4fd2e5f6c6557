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
use callout_storage::photo_uploads::UploadPart;
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
use serde::Deserialize;
use std::fmt;
use std::path::{Path as FolderPath, PathBuf};
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

    /// The text itself, for whoever must use it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
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

/// Which store, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhotoStoreSettings {
    /// A local folder; the default.
    Folder(PathBuf),
    /// S3-compatible object storage.
    S3(S3Settings),
}

/// A part found in the store, whoever it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPart {
    /// The photo.
    pub photo_id: PhotoId,
    /// Where it is; an upload that counts on it names this key.
    pub object_key: String,
    /// When it was written, by the store's clock.
    pub written_at: Timestamp,
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
    /// The store of the settings.
    pub fn open(settings: &PhotoStoreSettings) -> Result<Self, PhotoStoreError> {
        match settings {
            PhotoStoreSettings::Folder(folder) => Self::open_folder(folder),
            PhotoStoreSettings::S3(settings) => Self::open_s3(settings),
        }
    }

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
    pub async fn part_put(&self, part: &UploadPart, bytes: Bytes) -> Result<(), PhotoStoreError> {
        self.objects.put(&Path::from(part.object_key.as_str()), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// Reads pieces in their order into one buffer. The caller bounds their total length.
    pub async fn parts_read(&self, parts: &[UploadPart]) -> Result<BytesMut, PhotoStoreError> {
        let total: u64 = parts.iter().map(|part| part.byte_length).sum();
        let mut whole = BytesMut::with_capacity(usize::try_from(total).unwrap_or(0));
        for part in parts {
            let mut stream = self.objects.get(&Path::from(part.object_key.as_str())).await?.into_stream();
            let before = whole.len();
            while let Some(piece) = stream.try_next().await? {
                whole.extend_from_slice(&piece);
            }
            if (whole.len() - before) as u64 != part.byte_length {
                return Err(PhotoStoreError::Damaged { path: part.object_key.clone() });
            }
        }
        Ok(whole)
    }

    /// Deletes pieces by their keys; those already gone are no error.
    pub async fn parts_delete<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Result<(), PhotoStoreError> {
        let paths: Vec<_> = keys.into_iter().map(|key| Ok(Path::from(key))).collect();
        let mut deleted = self.objects.delete_stream(futures_util::stream::iter(paths).boxed());
        while let Some(result) = deleted.next().await {
            match result {
                Ok(_) | Err(ObjectError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
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
                found.push(FoundPart { photo_id, object_key: object.location.to_string(), written_at });
            }
        }
        Ok(found)
    }

    /// Stores a finished photo, unless its content is there already, and gives its key. The caller has verified the hash.
    pub async fn photo_put(
        &self,
        hash: PhotoHash,
        media_type: MediaType,
        bytes: Bytes,
    ) -> Result<String, PhotoStoreError> {
        self.put_by_content(photo_key(hash, media_type), bytes).await
    }

    /// Stores a photo's thumbnail, a JPEG, and gives its key.
    pub async fn thumbnail_put(&self, photo: PhotoHash, bytes: Bytes) -> Result<String, PhotoStoreError> {
        let key = by_content("thumbnails", photo, ".jpg");
        self.objects.put(&Path::from(key.as_str()), PutPayload::from(bytes)).await?;
        Ok(key)
    }

    /// Keeps bytes that are what the phone promised, but no acceptable image, and gives their key.
    pub async fn quarantine_put(&self, hash: PhotoHash, bytes: Bytes) -> Result<String, PhotoStoreError> {
        self.put_by_content(by_content("quarantine", hash, ""), bytes).await
    }

    /// What is stored under a key.
    pub async fn get(&self, key: &str) -> Result<StoredBytes, PhotoStoreError> {
        let found = self.objects.get(&Path::from(key)).await?;
        Ok(StoredBytes { length: found.meta.size, stream: found.into_stream().map_err(PhotoStoreError::from).boxed() })
    }

    async fn put_by_content(&self, key: String, bytes: Bytes) -> Result<String, PhotoStoreError> {
        let path = Path::from(key.as_str());
        let length = bytes.len() as u64;
        match self.objects.put_opts(&path, PutPayload::from(bytes.clone()), PutMode::Create.into()).await {
            Ok(_) => Ok(key),
            // S3 answers a lost race on the same key with a failed precondition instead.
            Err(ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. }) => {
                // The name is the content's hash; another length can only be damage done to the store, mended here.
                if self.objects.head(&path).await?.size != length {
                    tracing::warn!(%path, "a stored photo had the wrong length and is written again");
                    self.objects.put(&path, PutPayload::from(bytes)).await?;
                }
                Ok(key)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The key of a finished photo.
pub fn photo_key(hash: PhotoHash, media_type: MediaType) -> String {
    match media_type {
        MediaType::Jpeg => by_content("photos", hash, ".jpg"),
        MediaType::Png => by_content("photos", hash, ".png"),
    }
}

/// The key of a piece. `part_id` is drawn anew for every write.
pub fn part_key(photo_id: PhotoId, byte_offset: u64, part_id: Uuid) -> String {
    format!("staging/{photo_id}/{byte_offset}-{part_id}")
}

fn by_content(folder: &str, hash: PhotoHash, extension: &str) -> String {
    let hex = hash.to_string();
    format!("{folder}/{}/{hex}{extension}", &hex[..2])
}
