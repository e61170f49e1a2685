//! Blobs: bytes by their content's hash, in a folder or a bucket.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use domain::OrgId;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use runtime::Ambient;
use sha2::{Digest, Sha256};

use crate::config::{BlobsConfig, S3Config};
use crate::error::StoreError;

/// Where a blob's bytes lie: `org/<org>/<2 hex>/<sha-256 in hex>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlobKey(String);

impl BlobKey {
    /// The key of the content whose SHA-256 is `digest`.
    fn of(org: OrgId, digest: &[u8]) -> Self {
        use std::fmt::Write;
        let mut hex = String::with_capacity(64);
        for byte in digest {
            // Writing to a String does not fail.
            let _ = write!(hex, "{byte:02x}");
        }
        let first = hex.get(..2).unwrap_or_default();
        Self(format!("org/{org}/{first}/{hex}"))
    }

    /// The key as text, as rows and events keep it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn belongs_to(&self, org: OrgId) -> bool {
        self.0.starts_with(&format!("org/{org}/"))
    }
}

impl std::fmt::Display for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a key back; refuses what [`BlobKey`] never writes.
impl std::str::FromStr for BlobKey {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bad = || StoreError::internal("read a blob's key", "it has another form");
        let mut parts = text.split('/');
        let (Some("org"), Some(org), Some(first), Some(hash), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        let hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let fits =
            org.parse::<OrgId>().is_ok() && hash.len() == 64 && hex(hash) && hash.get(..2) == Some(first);
        if fits { Ok(Self(text.to_owned())) } else { Err(bad()) }
    }
}

/// The blobs. Clones are the same.
#[derive(Clone)]
pub struct Blobs {
    objects: Arc<dyn ObjectStore>,
    ambient: Ambient,
    prefix: Path,
}

/// A blob that is being written. Dropped before [`BlobWriter::finish`], it leaves nothing.
pub struct BlobWriter {
    blobs: Blobs,
    org: OrgId,
    upload: Box<dyn MultipartUpload>,
    place: Path,
    waiting: Vec<u8>,
    hash: Sha256,
    size: u64,
}

/// Bytes of one part of an upload: S3 wants at least 5 MiB for all but the last.
const PART_BYTES: usize = 8 << 20;

impl Blobs {
    pub(crate) fn open(config: &BlobsConfig, ambient: Ambient) -> Result<Self, StoreError> {
        match config {
            BlobsConfig::Folder { path } => {
                std::fs::create_dir_all(path)
                    .map_err(|error| from_io("make the folder of the blobs", error))?;
                let folder = object_store::local::LocalFileSystem::new_with_prefix(path)
                    .map_err(|error| from_object("open the folder of the blobs", error))?
                    .with_fsync(true);
                Ok(Self { objects: Arc::new(folder), ambient, prefix: Path::default() })
            }
            BlobsConfig::S3(bucket) => Ok(Self {
                objects: open_bucket(bucket)?,
                ambient,
                prefix: Path::from(bucket.prefix.as_str()),
            }),
        }
    }

    /// Keeps bytes; returns their key. Bytes that are there already are not written again.
    ///
    /// # Errors
    ///
    /// [`StoreError::DiskFull`], [`StoreError::Unavailable`].
    pub async fn put(&self, org: OrgId, bytes: impl Into<Bytes>) -> Result<BlobKey, StoreError> {
        let bytes = bytes.into();
        let key = BlobKey::of(org, &Sha256::digest(&bytes));
        let place = self.place(&key);
        if !self.has(&place).await? {
            self.objects
                .put(&place, PutPayload::from_bytes(bytes))
                .await
                .map_err(|error| from_object("write a blob", error))?;
        }
        Ok(key)
    }

    /// Begins to write a blob piece by piece.
    ///
    /// # Errors
    ///
    /// [`StoreError::DiskFull`], [`StoreError::Unavailable`].
    pub async fn writer(&self, org: OrgId) -> Result<BlobWriter, StoreError> {
        let name = format!("tmp/{}", self.ambient.uuid().simple());
        let place = self.join(&name);
        let upload =
            self.objects.put_multipart(&place).await.map_err(|error| from_object("write a blob", error))?;
        let (waiting, hash) = (Vec::new(), Sha256::new());
        Ok(BlobWriter { blobs: self.clone(), org, upload, place, waiting, hash, size: 0 })
    }

    /// All bytes of a blob. For what is known to be small; otherwise [`Blobs::read`].
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn get(&self, org: OrgId, key: &BlobKey) -> Result<Bytes, StoreError> {
        let found = self.open_blob(org, key, None).await?;
        found.bytes().await.map_err(|error| from_object("read a blob", error))
    }

    /// A blob's bytes, piece by piece, or only those of `range`.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn read(
        &self,
        org: OrgId,
        key: &BlobKey,
        range: Option<Range<u64>>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let found = self.open_blob(org, key, range).await?;
        Ok(found.into_stream().map_err(|error| from_object("read a blob", error)).boxed())
    }

    /// A blob's size in bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn size(&self, org: OrgId, key: &BlobKey) -> Result<u64, StoreError> {
        check_owner(org, key)?;
        let head = self.objects.head(&self.place(key)).await;
        head.map(|meta| meta.size).map_err(|error| from_object("look at a blob", error))
    }

    /// Removes a blob; one that is not there is removed already.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn delete(&self, org: OrgId, key: &BlobKey) -> Result<(), StoreError> {
        check_owner(org, key)?;
        match self.objects.delete(&self.place(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(from_object("delete a blob", error)),
        }
    }

    /// Bytes of all blobs, or of one org's.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn total_bytes(&self, org: Option<OrgId>) -> Result<u64, StoreError> {
        let under = org.map_or_else(|| self.join("org"), |org| self.join(&format!("org/{org}")));
        self.objects
            .list(Some(&under))
            .try_fold(0, |sum, meta| async move { Ok(sum + meta.size) })
            .await
            .map_err(|error| from_object("list the blobs", error))
    }

    async fn open_blob(
        &self,
        org: OrgId,
        key: &BlobKey,
        range: Option<Range<u64>>,
    ) -> Result<object_store::GetResult, StoreError> {
        check_owner(org, key)?;
        let options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
        self.objects
            .get_opts(&self.place(key), options)
            .await
            .map_err(|error| from_object("read a blob", error))
    }

    async fn has(&self, place: &Path) -> Result<bool, StoreError> {
        match self.objects.head(place).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(from_object("look at a blob", error)),
        }
    }

    fn place(&self, key: &BlobKey) -> Path {
        self.join(&key.0)
    }

    fn join(&self, name: &str) -> Path {
        self.prefix.parts().chain(Path::from(name).parts()).collect()
    }
}

impl BlobWriter {
    /// Adds bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError::DiskFull`], [`StoreError::Unavailable`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PART_BYTES {
            self.send().await?;
        }
        Ok(())
    }

    /// Bytes so far.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size
    }

    /// Makes the blob durable; returns its key.
    ///
    /// # Errors
    ///
    /// [`StoreError::DiskFull`], [`StoreError::Unavailable`].
    pub async fn finish(mut self) -> Result<BlobKey, StoreError> {
        let doing = "write a blob";
        if !self.waiting.is_empty() || self.size == 0 {
            self.send().await?;
        }
        self.upload.complete().await.map_err(|error| from_object(doing, error))?;
        let key = BlobKey::of(self.org, &self.hash.finalize());
        let place = self.blobs.place(&key);
        if self.blobs.has(&place).await? {
            self.blobs.objects.delete(&self.place).await.map_err(|error| from_object(doing, error))?;
        } else {
            let renamed = self.blobs.objects.rename(&self.place, &place).await;
            renamed.map_err(|error| from_object(doing, error))?;
        }
        Ok(key)
    }

    /// Leaves the blob and what was written of it.
    pub async fn abort(mut self) {
        if let Err(error) = self.upload.abort().await {
            tracing::debug!(error = %error, "what was written of a blob stays for a while");
        }
    }

    async fn send(&mut self) -> Result<(), StoreError> {
        let part = std::mem::take(&mut self.waiting);
        let sent = self.upload.put_part(part.into()).await;
        sent.map_err(|error| from_object("write a blob", error))
    }
}

#[cfg(feature = "s3")]
fn open_bucket(config: &S3Config) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let mut builder = object_store::aws::AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    if let (Some(id), Some(secret)) = (&config.access_key_id, &config.secret_access_key) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
    }
    let bucket = builder.build().map_err(|error| from_object("open the bucket of the blobs", error))?;
    Ok(Arc::new(bucket))
}

#[cfg(not(feature = "s3"))]
fn open_bucket(config: &S3Config) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let why =
        format!("this program was built without the feature s3, which the bucket {} needs", config.bucket);
    Err(StoreError::internal("open the bucket of the blobs", why))
}

fn check_owner(org: OrgId, key: &BlobKey) -> Result<(), StoreError> {
    if key.belongs_to(org) { Ok(()) } else { Err(StoreError::NotFound { what: "the blob" }) }
}

fn from_object(doing: &'static str, error: object_store::Error) -> StoreError {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return StoreError::NotFound { what: "the blob" };
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if inner.downcast_ref::<std::io::Error>().is_some_and(is_full) {
            return StoreError::DiskFull;
        }
        cause = inner.source();
    }
    StoreError::internal(doing, error)
}

fn from_io(doing: &'static str, error: std::io::Error) -> StoreError {
    if is_full(&error) { StoreError::DiskFull } else { StoreError::internal(doing, error) }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}
