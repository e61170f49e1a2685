//! Blobs in a folder.

use domain::OrgId;
use futures_util::TryStreamExt;
use runtime::Ambient;
use store::{BlobKey, BlobsConfig, Store, StoreError};
use testkit::database::TestDatabase;

const ORG: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(1));
const OTHER: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(2));

/// Runs a test with blobs in a folder, and in a bucket when `TEST_S3_ENDPOINT` names a server that has the bucket
/// `journeyman-test` and takes any key.
async fn each(test: impl AsyncFn(&TestDatabase, Store) -> Result<(), StoreError>) {
    let mut databases = vec![TestDatabase::sqlite()];
    databases.extend(bucket());
    for database in databases {
        let store = database.open(Ambient::system()).await;
        if let Err(error) = test(&database, store.clone()).await {
            panic!("with {:?}: {error:?}", database.config.blobs);
        }
        store.close().await;
    }
}

#[cfg(not(feature = "s3"))]
fn bucket() -> Option<TestDatabase> {
    None
}

#[cfg(feature = "s3")]
fn bucket() -> Option<TestDatabase> {
    let endpoint = runtime::Env::of_process().get("TEST_S3_ENDPOINT")?.to_owned();
    // An error means that another test has installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut database = TestDatabase::sqlite();
    database.config.blobs = BlobsConfig::S3(store::config::S3Config {
        bucket: "journeyman-test".to_owned(),
        endpoint: Some(endpoint),
        region: "us-east-1".to_owned(),
        prefix: format!("tests/{}", Ambient::system().uuid().simple()),
        access_key_id: Some("test".to_owned()),
        secret_access_key: Some("test".to_owned()),
    });
    Some(database)
}

#[tokio::test]
async fn bytes_lie_under_their_hash_and_are_written_once() {
    each(async |database, store| {
        let key = store.blobs().put(ORG, &b"hello"[..]).await?;
        let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(key.as_str(), format!("org/{ORG}/2c/{hash}"));
        assert_eq!(key.as_str().parse::<BlobKey>()?, key);
        let file = database.folder().join("blobs").join(key.as_str());
        let written = |file: &std::path::Path| file.metadata().and_then(|meta| meta.modified()).ok();
        let first = written(&file);
        assert_eq!(first.is_some(), matches!(database.config.blobs, BlobsConfig::Folder { .. }));

        assert_eq!(store.blobs().put(ORG, &b"hello"[..]).await?, key);
        assert_eq!(written(&file), first);
        assert_eq!(store.blobs().get(ORG, &key).await?, &b"hello"[..]);
        assert_eq!(store.blobs().size(ORG, &key).await?, 5);

        store.blobs().put(OTHER, &b"hello you"[..]).await?;
        assert_eq!(store.blobs().total_bytes(None).await?, 14);
        assert_eq!(store.blobs().total_bytes(Some(ORG)).await?, 5);
        assert_eq!(store.sizes().await?.blob_bytes, 14);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_blob_is_written_piece_by_piece_and_read_by_range() {
    each(async |database, store| {
        let whole: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mut writer = store.blobs().writer(ORG).await?;
        for piece in whole.chunks(300_000) {
            writer.write(piece).await?;
        }
        assert_eq!(writer.size_bytes(), 10_000_000);
        let key = writer.finish().await?;
        assert_eq!(key, store.blobs().put(ORG, whole.clone()).await?);

        let part = store.blobs().read(ORG, &key, Some(8_388_600..8_388_700)).await?;
        let part: Vec<_> = part.try_collect().await?;
        assert_eq!(part.concat(), whole[8_388_600..8_388_700]);
        let all: Vec<_> = store.blobs().read(ORG, &key, None).await?.try_collect().await?;
        assert!(all.concat() == whole);

        let mut same = store.blobs().writer(ORG).await?;
        same.write(&whole).await?;
        assert_eq!(same.finish().await?, key);
        let mut left = store.blobs().writer(ORG).await?;
        left.write(&whole).await?;
        left.abort().await;
        let empty = store.blobs().writer(ORG).await?.finish().await?;
        assert_eq!(store.blobs().size(ORG, &empty).await?, 0);
        assert_eq!(store.blobs().total_bytes(Some(ORG)).await?, 10_000_000);
        let tmp = std::fs::read_dir(database.folder().join("blobs/tmp")).map_or(0, Iterator::count);
        assert_eq!(tmp, 0, "nothing half written is left");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_deleted_foreign_or_not_a_key_is_not_there() {
    each(async |_database, store| {
        let key = store.blobs().put(ORG, &b"mine"[..]).await?;
        for missing in [
            store.blobs().get(OTHER, &key).await.map(drop),
            store.blobs().size(OTHER, &key).await.map(drop),
            store.blobs().delete(OTHER, &key).await,
        ] {
            assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
        }
        store.blobs().delete(ORG, &key).await?;
        store.blobs().delete(ORG, &key).await?;
        let gone = store.blobs().get(ORG, &key).await;
        assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
        let good = key.as_str();
        for bad in [
            "",
            "a",
            "org/x/2c/2cf2",
            &format!("{good}/.."),
            &good.replace("/org", "/../org"),
            &format!("/{good}"),
        ] {
            assert!(bad.parse::<BlobKey>().is_err(), "{bad}");
        }
        Ok(())
    })
    .await;
}
