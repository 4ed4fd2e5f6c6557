//! Signing in and enrolling: at first, again, and after the device was revoked.

use super::{Phone, PhoneError};
use crate::engine::{Engine, EngineConfig, tokens};
use crate::store::account::{Account, account_get, account_put, account_tokens_clear};
use crate::store::revocation::{device_renew, device_revoked_at};
use crate::transport::{Transport, TransportError};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;

impl Phone {
    /// Signs in and enrols the device. The password is not kept. A device that was revoked is enrolled anew under another id, in the
    /// same folder: what is unsent goes with the next sync, if the same person signs in.
    ///
    /// # Errors
    /// [`PhoneError::Server`] with the problem, [`PhoneError::OtherUser`], [`PhoneError::Network`].
    pub fn sign_in(
        &mut self,
        transport: &mut dyn Transport,
        user_name: &str,
        password: &str,
    ) -> Result<Account, PhoneError> {
        let _lock = self.sync_lock()?;
        if self.revoked_at()?.is_some() {
            self.device_renew()?;
        }
        let account = match self.sign_in_try(transport, user_name, password)? {
            Ok(account) => account,
            // Nobody had told the phone so far.
            Err(problem) if problem.problem == ProblemType::DeviceRevoked => {
                self.device_renew()?;
                self.sign_in_try(transport, user_name, password)?.map_err(PhoneError::Server)?
            }
            Err(problem) => return Err(PhoneError::Server(problem)),
        };
        self.store.write(|connection| match account_get(connection)? {
            Some(known) if known.user_id != account.user_id => {
                Err(PhoneError::OtherUser { user_name: known.user_name })
            }
            _ => Ok(account_put(connection, &account)?),
        })?;
        Ok(account)
    }

    fn sign_in_try(
        &mut self,
        transport: &mut dyn Transport,
        user_name: &str,
        password: &str,
    ) -> Result<Result<Account, Rejection>, PhoneError> {
        let request = tokens::sign_in_request(user_name, password, &self.device, &self.config.device_name);
        let response = transport.send(&request)?;
        if !response.is_success() {
            return Ok(Err(response.problem()));
        }
        let account = tokens::TokensAnswer::read(&response).and_then(|answer| answer.into_account(user_name));
        account
            .map(Ok)
            .ok_or_else(|| TransportError("the answer did not come from the server, or not whole".to_owned()).into())
    }

    fn device_renew(&mut self) -> Result<(), PhoneError> {
        let env = self.env.clone();
        let key = self.config.device_key.clone();
        self.device = self.store.write(|connection| device_renew(connection, env.as_ref(), &key))?;
        self.engine = Engine::new(EngineConfig { backoff: self.config.backoff }, self.device.clone());
        Ok(())
    }

    /// Forgets the tokens on this phone; what was captured stays.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn sign_out(&mut self) -> Result<(), PhoneError> {
        Ok(self.store.write(account_tokens_clear)?)
    }

    /// Since when the phone knows that its device was revoked; it shows nothing until somebody signs in again.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn revoked_at(&self) -> Result<Option<Timestamp>, PhoneError> {
        Ok(device_revoked_at(self.store.connection())?)
    }
}
