//! Where the phone's signing key comes from.

use ed25519_dalek::SigningKey;

/// The phone's Ed25519 key: it signs sample blocks, and proves at each token refresh that the token was not stolen.
#[derive(Clone, Debug)]
pub enum DeviceKey {
    /// Made at the first start and kept in the store's file, which only its owner can read.
    KeptInStore,
    /// Handed in at every start, as from the platform's keystore; never written down.
    Provided(Box<SigningKey>),
}

impl DeviceKey {
    /// A key that the platform hands in as its 32 secret bytes.
    pub fn from_secret_bytes(bytes: &[u8; 32]) -> Self {
        Self::Provided(Box::new(SigningKey::from_bytes(bytes)))
    }
}
