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
    /// The attempt whose answer is awaited; not on the disk.
    pub awaits: Option<u8>,
}

impl Phone {
    /// The next question.
    pub fn ask(&mut self) -> Request {
        self.attempts += 1;
        self.awaits = Some(self.attempts);
        Request { attempt: self.attempts, cursor: self.cursor, commands: self.outbox.clone() }
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
        }
        for (order, version) in &response.changes {
            match version {
                Some(version) => self.copies.insert(*order, *version),
                None => self.copies.remove(order),
            };
        }
        self.cursor = Some(response.cursor);
    }
}
