//! The same on S3-compatible storage. `.ci/prepare` starts a server and points these tests to it.

use crate::photos::pictures::jpeg;
use crate::photos::uploads::{photo_arrives_in_pieces_over_two_servers, read};
use crate::photos::world::{World, sha256};
use callout_server::photos::store::{PhotoStore, PhotoStoreError, S3Settings, Secret, photo_key};
use callout_sync_protocol::photos::MediaType;

/// The store of `CALLOUT_TEST_S3_ENDPOINT`; `None`, said plainly, where there is none.
async fn store(test: &str) -> Option<PhotoStore> {
    let Ok(endpoint) = std::env::var("CALLOUT_TEST_S3_ENDPOINT") else {
        eprintln!("{test}: skipped, CALLOUT_TEST_S3_ENDPOINT names no S3-compatible server; .ci/prepare starts one");
        return None;
    };
    let settings = settings(endpoint.clone());
    let store = PhotoStore::open_s3(&settings).unwrap();
    // A test server starts without buckets; one that has the bucket already, or makes none so easily, is as good.
    let _ = reqwest::Client::new().put(format!("{endpoint}/{}", settings.bucket)).send().await;
    Some(store)
}

fn settings(endpoint: String) -> S3Settings {
    S3Settings {
        endpoint: Some(endpoint),
        bucket: std::env::var("CALLOUT_S3_BUCKET").unwrap_or_else(|_| "callout-test".into()),
        region: "us-east-1".into(),
        access_key_id: std::env::var("CALLOUT_S3_ACCESS_KEY_ID").unwrap_or_else(|_| "test".into()),
        secret_access_key: Secret::new(std::env::var("CALLOUT_S3_SECRET_ACCESS_KEY").unwrap_or_else(|_| "test".into())),
        path_style: true,
    }
}

#[tokio::test]
async fn a_photo_arrives_in_pieces_on_s3() {
    let Some(store) = store("a_photo_arrives_in_pieces_on_s3").await else { return };
    store.check().await.unwrap();
    photo_arrives_in_pieces_over_two_servers(&World::over(store)).await;
}

#[tokio::test]
async fn content_is_put_once_on_s3() {
    let Some(store) = store("content_is_put_once_on_s3").await else { return };
    let bytes = jpeg(33, 21);
    for _ in 0..2 {
        let key = store.photo_put(sha256(&bytes), MediaType::Jpeg, bytes.clone().into()).await.unwrap();
        assert_eq!(read(&store, &key).await, bytes);
    }
    let absent = store.get(&photo_key(sha256(b"absent"), MediaType::Png)).await;
    assert!(matches!(absent, Err(PhotoStoreError::NotFound { .. })));
}

#[test]
fn the_secret_is_never_shown() {
    let mut settings = settings("http://127.0.0.1:9".into());
    settings.secret_access_key = Secret::new("wJalrXUtnFEMI");
    let store = PhotoStore::open_s3(&settings).unwrap();
    assert!(!format!("{settings:?} {store:?}").contains("wJalrXUtnFEMI"));
}
