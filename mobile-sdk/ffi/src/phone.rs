//! Opening, signing in, closing; and the two handles behind one phone.
//!
//! What the tester does goes through `acts`, which is never held during a request; the network goes through `line`, which is held for
//! as long as a sync takes. Both are handles on the same store, so that nobody waits for a slow link.

use crate::PhoneError;
use callout_mobile_sdk::facade::{self, ChangeSignal, ListenControl, Network};
use callout_mobile_sdk::transport::http_client::{HttpClient, ServerUrl, ServerUrlError};
use callout_mobile_sdk::{Phone, PhoneConfig, StoreKey, SystemEnv};
use callout_sync_protocol::ids::{DeviceId, UserId};
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// What an app says when it opens a phone.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PhoneSettings {
    /// The server, such as `https://callout.example`.
    pub server_url: String,
    /// What the administrator sees in the list of devices.
    #[uniffi(default = "phone")]
    pub device_name: String,
    /// Lets a server be reached without TLS that is not on this machine. For trials only.
    #[uniffi(default = false)]
    pub allows_plain_http: bool,
}

impl PhoneSettings {
    pub(crate) fn client(&self) -> Result<HttpClient, PhoneError> {
        let url = ServerUrl::parse(self.server_url.trim(), self.allows_plain_http).map_err(|error| {
            let text_zh = match error {
                ServerUrlError::Malformed => "服务器地址应形如 https://host:port",
                ServerUrlError::PlainHttp => "明文 http 只允许用于本机；请使用 https",
            };
            PhoneError::value(error.to_string(), text_zh)
        })?;
        Ok(HttpClient::new(url))
    }

    pub(crate) fn config(&self, store_key: Vec<u8>) -> Result<PhoneConfig, PhoneError> {
        let store_key = Zeroizing::new(store_key);
        let bytes: [u8; 32] = store_key
            .as_slice()
            .try_into()
            .map_err(|_| PhoneError::value("the store's key has 32 bytes", "存储密钥应为 32 字节"))?;
        Ok(PhoneConfig {
            device_name: self.device_name.clone(),
            store_key: Some(StoreKey::from_bytes(bytes)),
            ..PhoneConfig::default()
        })
    }
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Account {
    /// The person.
    pub user_id: UserId,
    /// As typed at sign-in.
    pub user_name: String,
    /// As the server writes it.
    pub display_name: String,
}

pub(crate) struct Line {
    pub(crate) phone: Phone,
    pub(crate) client: HttpClient,
}

pub(crate) struct Inner {
    acts: Mutex<Option<Phone>>,
    line: Mutex<Option<Line>>,
    network: Mutex<Network>,
    /// Of those who listen for wake-ups.
    controls: Mutex<Vec<ListenControl>>,
    server: HttpClient,
    pub(crate) signal: ChangeSignal,
    is_closed: AtomicBool,
    threads: Arc<(Mutex<u32>, Condvar)>,
}

thread_local! {
    static IS_TELLING: Cell<bool> = const { Cell::new(false) };
}

/// Held by a thread that tells the app something, until the very end of it.
pub(crate) struct Telling(Arc<(Mutex<u32>, Condvar)>);

impl Telling {
    /// On the thread itself, at its beginning.
    pub(crate) fn begin(&self) {
        IS_TELLING.set(true);
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        *held(&self.0.0) -= 1;
        self.0.1.notify_all();
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole after a panic, too: the store's transactions see to that.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Something that the tester does: on the phone only, milliseconds.
    pub(crate) fn act<T, E: Into<PhoneError>>(
        &self,
        work: impl FnOnce(&mut Phone) -> Result<T, E>,
    ) -> Result<T, PhoneError> {
        work(held(&self.acts).as_mut().ok_or_else(PhoneError::closed)?).map_err(Into::into)
    }

    /// Something with the server: as long as the network takes, one at a time.
    pub(crate) fn talk<T>(
        &self,
        work: impl FnOnce(&mut Line) -> Result<T, facade::PhoneError>,
    ) -> Result<T, PhoneError> {
        let mut guard = self.line_try()?;
        let line = guard.as_mut().ok_or_else(PhoneError::closed)?;
        line.phone.set_network(*held(&self.network));
        let result = work(line).map_err(PhoneError::from);
        // Whoever closes comes to this lock before it tries the line: either it is seen here, or it finds the line free.
        let mut acts = held(&self.acts);
        if self.is_closed.load(Ordering::Acquire) {
            *guard = None;
            return result;
        }
        // A sign-in after a revocation makes the device anew; what is sealed from now on is signed by its new key.
        if acts.as_ref().is_some_and(|acts| acts.device_id() != line.phone.device_id()) {
            *acts = Some(line.phone.beside()?);
        }
        drop(guard);
        result
    }

    fn line_try(&self) -> Result<MutexGuard<'_, Option<Line>>, PhoneError> {
        match self.line.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(PhoneError::busy()),
        }
    }

    pub(crate) fn network_set(&self, network: Network) {
        *held(&self.network) = network;
        self.controls_each(|control| control.set_network(network));
    }

    fn controls_each(&self, tell: impl FnMut(&ListenControl)) {
        held(&self.controls).iter().for_each(tell);
    }

    /// A third handle on the store with a client of its own, for whoever listens.
    pub(crate) fn handle_beside(&self) -> Result<(Phone, HttpClient), PhoneError> {
        let mut phone = self.act(|phone| phone.beside())?;
        phone.set_network(*held(&self.network));
        Ok((phone, self.server.beside()))
    }

    /// For a thread that is about to begin.
    pub(crate) fn telling(&self) -> Telling {
        *held(&self.threads.0) += 1;
        Telling(self.threads.clone())
    }

    /// The control of a new listener, which is stopped with the phone.
    pub(crate) fn control_new(&self) -> ListenControl {
        let control = ListenControl::default();
        held(&self.controls).push(control.clone());
        if self.is_closed.load(Ordering::Acquire) {
            control.stop();
        }
        control
    }

    /// Lets go of those that have ended.
    pub(crate) fn control_forget(&self, ended: &ListenControl) {
        held(&self.controls).retain(|control| !control.is_same(ended));
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.controls_each(ListenControl::stop);
        *held(&self.acts) = None;
        // A running sync lets go of its handle when it ends.
        if let Ok(mut line) = self.line_try() {
            *line = None;
        }
        self.signal.raise();
    }

    /// Hands the phone to `remove`, which ends it; it stays open if that fails.
    pub(crate) fn give_up(
        &self,
        remove: impl FnOnce(Phone) -> Result<(), facade::PhoneError>,
    ) -> Result<(), PhoneError> {
        let mut line = self.line_try()?;
        let beside = line.as_ref().ok_or_else(PhoneError::closed)?;
        let mut acts = held(&self.acts);
        let removed = remove(acts.take().ok_or_else(PhoneError::closed)?);
        if let Err(error) = removed {
            *acts = Some(beside.phone.beside()?);
            return Err(error.into());
        }
        *line = None;
        self.is_closed.store(true, Ordering::Release);
        self.controls_each(ListenControl::stop);
        drop((line, acts));
        self.signal.raise();
        Ok(())
    }
}

/// One tester's phone. Safe to use from every thread; each call blocks until it is done, those with the network for long.
#[derive(uniffi::Object)]
pub struct PhoneCore {
    pub(crate) inner: Arc<Inner>,
}

impl PhoneCore {
    pub(crate) fn with(phone: Phone, client: HttpClient) -> Result<Arc<Self>, PhoneError> {
        let server = client.beside();
        let line = Line { phone: phone.beside()?, client };
        let inner = Inner {
            signal: phone.change_signal(),
            acts: Mutex::new(Some(phone)),
            line: Mutex::new(Some(line)),
            network: Mutex::new(Network::default()),
            controls: Mutex::default(),
            server,
            is_closed: AtomicBool::new(false),
            threads: Arc::default(),
        };
        Ok(Arc::new(Self { inner: Arc::new(inner) }))
    }
}

#[uniffi::export]
impl PhoneCore {
    /// Opens the phone's data in `folder`, making it at the first start. `store_key` is 32 bytes out of the platform's keystore, with
    /// which everything is sealed at rest.
    #[uniffi::constructor]
    pub fn open(folder: &str, store_key: Vec<u8>, settings: PhoneSettings) -> Result<Arc<Self>, PhoneError> {
        let client = settings.client()?;
        let phone = Phone::open(Path::new(folder), settings.config(store_key)?, Arc::new(SystemEnv))?;
        Self::with(phone, client)
    }

    /// Closes the phone's files; a running sync ends first. Calls fail with `Closed` from now on.
    pub fn shut(&self) {
        self.inner.close();
    }

    /// Waits until the threads that observe and listen have ended, as they do after `shut` or when they are stopped; says whether they
    /// have. For languages whose runtime must not be called any more once the program ends. On such a thread it does not wait.
    pub fn wait_for_threads(&self, patience_ms: u32) -> bool {
        let (count, changed) = &*self.inner.threads;
        let running = held(count);
        if IS_TELLING.get() {
            return *running == 0;
        }
        let patience = Duration::from_millis(patience_ms.into());
        let waited = changed.wait_timeout_while(running, patience, |running| *running > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
    }

    /// This installation's id, as enrolled with the server.
    pub fn device_id(&self) -> Result<DeviceId, PhoneError> {
        self.inner.act(|phone| Ok::<_, PhoneError>(phone.device_id()))
    }

    /// Signs in and enrols this device. The password is not kept. Uses the network.
    pub fn sign_in(&self, user_name: &str, password: String) -> Result<Account, PhoneError> {
        let password = Zeroizing::new(password);
        let account = self.inner.talk(|line| line.phone.sign_in(&mut line.client, user_name, &password))?;
        Ok(Account { user_id: account.user_id, user_name: account.user_name, display_name: account.display_name })
    }

    /// Forgets the tokens on this phone; what was captured stays.
    pub fn sign_out(&self) -> Result<(), PhoneError> {
        self.inner.act(Phone::sign_out)?;
        // Whoever listens finds out at once.
        let network = *held(&self.inner.network);
        self.inner.network_set(network);
        Ok(())
    }

    /// Since when the phone knows that its device was revoked; it shows nothing until somebody signs in again.
    pub fn revoked_at(&self) -> Result<Option<SystemTime>, PhoneError> {
        self.inner.act(|phone| Ok::<_, facade::PhoneError>(phone.revoked_at()?.map(crate::places::system_time)))
    }
}
