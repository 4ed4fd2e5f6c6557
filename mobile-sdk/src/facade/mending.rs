//! What the server refused, or fails at: shown with the reason, mended, sent again, or let be.
//!
//! A refused item keeps its content for good (R-TEST-5). What goes instead is a new command with an id of its own, at the end of the
//! queue; the refused one then names it.

use super::actions::{command_give_at, field_test_current, local_order};
use super::{Phone, PhoneError};
use crate::capture::seal::field_test_seal;
use crate::local_order::LocalOrder;
use crate::store::Connection;
use crate::store::blocks::{block_citation_list, block_resend};
use crate::store::commands::{CommandStanding, OutboxCommand, command_get, command_settle};
use crate::store::photos::{photo_announce_again, photo_id_list, photo_want};
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::{CommandId, PhotoId};
use callout_sync_protocol::samples::BlockHash;

fn rejected(connection: &Connection, id: CommandId) -> Result<OutboxCommand, PhoneError> {
    let known = command_get(connection, id)?;
    known
        .filter(|known| matches!(known.standing, CommandStanding::Rejected { .. }) && !known.is_settled)
        .ok_or(PhoneError::NothingToMend)
}

impl Phone {
    /// Gives a rejected command again, as it was; judged anew by what the phone knows now. A submission cites what the test has now.
    ///
    /// # Errors
    /// [`PhoneError::NothingToMend`], [`PhoneError::Rejected`]; the rejected one stays as it is then.
    pub fn command_resend(&mut self, id: CommandId) -> Result<LocalOrder, PhoneError> {
        let body = rejected(self.store.connection(), id)?.command.body;
        self.command_mend(id, body)
    }

    /// Gives another command in a rejected one's place, about the same order and for the same time.
    ///
    /// # Errors
    /// [`PhoneError::NothingToMend`], [`PhoneError::Rejected`]; the rejected one stays as it is then.
    pub fn command_mend(&mut self, id: CommandId, body: CommandBody) -> Result<LocalOrder, PhoneError> {
        let (env, device) = (self.env.clone(), self.device.clone());
        self.store.write(|connection| {
            let refused = rejected(connection, id)?.command;
            let order = refused.work_order_id;
            let body = match body {
                CommandBody::TestSubmit { field_test_id, missing_operators, .. } => {
                    field_test_seal(connection, &device, field_test_id, env.now())?;
                    CommandBody::TestSubmit {
                        field_test_id,
                        blocks: block_citation_list(connection, field_test_id)?,
                        photos: photo_id_list(connection, field_test_id)?,
                        missing_operators,
                    }
                }
                CommandBody::PhotoAttach { ref manifest } => {
                    // Asks whether photos may be added now, and to which test.
                    field_test_current(connection, env.as_ref(), order)?;
                    let announced = manifest.id;
                    let given = command_give_at(connection, env.as_ref(), order, refused.captured_at, body)?;
                    photo_announce_again(connection, announced, given)?;
                    command_settle(connection, id, Some(given), env.now())?;
                    return local_order(connection, order);
                }
                other => other,
            };
            let given = command_give_at(connection, env.as_ref(), order, refused.captured_at, body)?;
            command_settle(connection, id, Some(given), env.now())?;
            local_order(connection, order)
        })
    }

    /// Lets a rejected command be: it is no longer listed, and stays in the order's history.
    ///
    /// # Errors
    /// [`PhoneError::NothingToMend`].
    pub fn command_dismiss(&mut self, id: CommandId) -> Result<(), PhoneError> {
        let now = self.env.now();
        let was_there = self.store.write(|connection| command_settle(connection, id, None, now))?;
        if was_there { Ok(()) } else { Err(PhoneError::NothingToMend) }
    }

    /// Puts a refused photo back into the queue.
    ///
    /// # Errors
    /// [`PhoneError::NothingToMend`].
    pub fn photo_resend(&mut self, id: PhotoId) -> Result<(), PhoneError> {
        let is_refused = self.set_aside()?.photos.iter().any(|photo| photo.manifest.id == id);
        if !is_refused {
            return Err(PhoneError::NothingToMend);
        }
        Ok(self.store.write(|connection| photo_want(connection, id))?)
    }

    /// Puts a refused block back into the queue, as after the device's key was enrolled.
    ///
    /// # Errors
    /// [`PhoneError::NothingToMend`].
    pub fn block_resend(&mut self, hash: BlockHash) -> Result<(), PhoneError> {
        let was_there = self.store.write(|connection| block_resend(connection, hash))?;
        if was_there { Ok(()) } else { Err(PhoneError::NothingToMend) }
    }
}
