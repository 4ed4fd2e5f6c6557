//! A phone: what is safe on its disk, and the one question that it has open. Each function is one committed transaction.

use crate::world::Mutation;
use crate::{Command, Cursor, OrderId, Request, Response};
use std::collections::BTreeMap;

/// A phone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Phone {
    /// Where its feed ends.
    pub cursor: Option<Cursor>,
    /// Its copies: per order the version.
    pub copies: BTreeMap<OrderId, u8>,
    /// What the tester did and the server has not answered.
    pub outbox: Vec<Command>,
    /// What the server answered, accepted or not; a rejected one stays visible.
    pub decided: BTreeMap<Command, bool>,
    /// How many attempts were made.
    pub attempts: u8,
    /// What it held after its last answer was not what the server said.
    pub is_in_doubt: bool,
    /// A copy was spoiled since the last answer. Not part of the phone: it does not know.
    pub is_spoiled: bool,
    /// The attempt whose answer is awaited; not on the disk.
    pub awaits: Option<u8>,
}

impl Phone {
    /// The next question, with the phone's checkpoint if it knows of such.
    pub fn ask(&mut self, has_checkpoints: bool) -> Request {
        self.attempts += 1;
        self.awaits = Some(self.attempts);
        Request {
            attempt: self.attempts,
            cursor: self.cursor,
            checkpoint: self.cursor.filter(|_| has_checkpoints).map(|_| self.copies.clone()),
            commands: self.outbox.clone(),
        }
    }

    /// The answer arrives.
    pub fn apply(&mut self, response: &Response, mutation: Option<Mutation>) {
        if mutation != Some(Mutation::TakesLateAnswers) && self.awaits != Some(response.attempt) {
            return;
        }
        self.awaits = None;
        for (command, is_accepted) in &response.outcomes {
            if let Some(place) = self.outbox.iter().position(|waiting| waiting == command) {
                self.outbox.remove(place);
                self.decided.insert(*command, *is_accepted);
            }
        }
        if mutation != Some(Mutation::TakesLateAnswers) && self.cursor != response.asked_from {
            return;
        }
        if response.reset && mutation != Some(Mutation::IgnoresReset) {
            self.copies.clear();
            if mutation == Some(Mutation::ResetsDropUnsentWork) {
                self.outbox.clear();
            }
        }
        for (order, version) in &response.changes {
            match version {
                Some(version) => self.copies.insert(*order, *version),
                None => self.copies.remove(order),
            };
        }
        self.cursor = Some(response.cursor);
        self.is_in_doubt = response.checkpoint.as_ref().is_some_and(|theirs| *theirs != self.copies);
        self.is_spoiled = false;
    }

    /// A copy becomes an older one, as by a fault of the storage; nothing tells the phone.
    pub fn spoil(&mut self, order: OrderId) {
        if let Some(version) = self.copies.get_mut(&order) {
            *version -= 1;
            self.is_spoiled = true;
        }
    }
}
