//! What the server refused or fails at, with the reasons; mending it, sending it again, or letting it be.

use crate::acts::{FindingsDraft, MissingOperator};
use crate::orders::{Order, TimeWindow};
use crate::phone::PhoneCore;
use crate::places::{Position, system_time};
use crate::{ContactReport, PhoneError, Reason};
use callout_mobile_sdk::facade;
use callout_mobile_sdk::store::commands::{CommandStanding, OutboxCommand};
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::{CommandId, FieldTestId, PhotoId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::samples::BlockHash;
use callout_sync_protocol::volte_walkthrough::VolteAnswer;
use std::time::SystemTime;

/// A step that the server rejected and that nobody has dealt with since.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SetAsideCommand {
    /// Its id.
    pub id: CommandId,
    /// The order that it is about.
    pub order_id: WorkOrderId,
    /// What the tester did, as the API names it, such as `contact`.
    pub kind: String,
    /// When the tester did it.
    pub captured_at: SystemTime,
    /// Why the server said no.
    pub reason: Reason,
}

/// A step that the server fails at; tried again by itself.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct DeferredCommand {
    /// Its id.
    pub id: CommandId,
    /// The order that it is about.
    pub order_id: WorkOrderId,
    /// What the tester did, as the API names it.
    pub kind: String,
    /// When the tester did it.
    pub captured_at: SystemTime,
    /// When it is tried again.
    pub retry_at: Option<SystemTime>,
}

/// Samples that are not evidence.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SetAsideBlock {
    /// The block's name, in hexadecimal digits.
    pub hash: String,
    /// The order that it was measured for.
    pub order_id: WorkOrderId,
    /// Whose network it measured.
    pub operator: Operator,
    /// How many samples it holds.
    pub sample_count: u32,
    /// The server holds it, apart from the evidence; otherwise only the phone has it.
    pub is_held_by_server: bool,
    /// Why.
    pub reason: Reason,
}

/// A photo that the server did not take.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct RefusedPhoto {
    /// Its id.
    pub id: PhotoId,
    /// The order that it was taken for.
    pub order_id: WorkOrderId,
    /// What it shows.
    pub purpose: PhotoPurpose,
    /// How many bytes it has.
    pub byte_length: u64,
    /// Why.
    pub reason: Reason,
}

/// Everything that is not what the tester wanted it to be. None of it is ever deleted (R-TEST-5).
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SetAside {
    /// Steps that the server rejected.
    pub commands: Vec<SetAsideCommand>,
    /// Steps that the server fails at.
    pub deferred: Vec<DeferredCommand>,
    /// Samples that are not evidence.
    pub blocks: Vec<SetAsideBlock>,
    /// Photos that the server did not take.
    pub photos: Vec<RefusedPhoto>,
}

fn rejected(command: OutboxCommand) -> Option<SetAsideCommand> {
    let CommandStanding::Rejected { rejection } = &command.standing else { return None };
    Some(SetAsideCommand {
        id: command.command.id,
        order_id: command.command.work_order_id,
        kind: command.command.body.kind().to_owned(),
        captured_at: system_time(command.command.captured_at),
        reason: Reason::of(rejection),
    })
}

/// What goes in a rejected step's place, about the same order and for the same time.
#[derive(Clone, Debug, PartialEq, uniffi::Enum)]
pub enum Mend {
    /// A declining with another reason.
    Decline {
        /// Why.
        reason: String,
    },
    /// Another contact report.
    Contact {
        /// All of it.
        report: ContactReport,
    },
    /// An arrival at another place.
    Arrive {
        /// Where.
        position: Position,
    },
    /// Another answer about photos.
    PhotoConsent {
        /// The answer.
        granted: bool,
    },
    /// Other findings, complete.
    Findings {
        /// All of them.
        findings: FindingsDraft,
    },
    /// A submission with other operators missing.
    Submit {
        /// Why they were not tested.
        missing_operators: Vec<MissingOperator>,
    },
}

impl Mend {
    fn into_core(self, field_test_id: FieldTestId, volte: Vec<VolteAnswer>) -> Result<CommandBody, PhoneError> {
        Ok(match self {
            Self::Decline { reason } => CommandBody::Decline { reason },
            Self::Contact { report } => CommandBody::Contact {
                outcome: report.outcome,
                appointment: report.appointment.map(TimeWindow::to_core).transpose()?,
                emergency_reason: report.emergency_reason,
                note: report.note,
            },
            Self::Arrive { position } => CommandBody::Arrive { position: position.to_core()? },
            Self::PhotoConsent { granted } => CommandBody::PhotoConsent { granted },
            Self::Findings { findings } => {
                let draft = callout_mobile_sdk::FindingsDraft { volte, ..findings.into_core()? };
                let findings =
                    draft.complete().ok_or_else(|| facade::PhoneError::FindingsIncomplete(draft.missing()))?;
                CommandBody::FindingsRecord { field_test_id, findings }
            }
            // Blocks and photos are those that the test has then; the core fills them in.
            Self::Submit { missing_operators } => CommandBody::TestSubmit {
                field_test_id,
                blocks: vec![],
                photos: vec![],
                missing_operators: missing_operators.into_iter().map(Into::into).collect(),
            },
        })
    }
}

#[uniffi::export]
impl PhoneCore {
    /// Everything that was rejected, quarantined, refused or put off.
    pub fn set_aside(&self) -> Result<SetAside, PhoneError> {
        let set_aside = self.inner.act(|phone| phone.set_aside())?;
        Ok(SetAside {
            commands: set_aside.commands.into_iter().filter_map(rejected).collect(),
            deferred: set_aside
                .deferred
                .into_iter()
                .map(|deferred| DeferredCommand {
                    id: deferred.command.id,
                    order_id: deferred.command.work_order_id,
                    kind: deferred.command.body.kind().to_owned(),
                    captured_at: system_time(deferred.command.captured_at),
                    retry_at: deferred.deferred_until.map(system_time),
                })
                .collect(),
            blocks: set_aside
                .blocks
                .into_iter()
                .map(|block| SetAsideBlock {
                    hash: block.citation.hash.to_string(),
                    order_id: block.work_order_id,
                    operator: block.citation.operator,
                    sample_count: block.citation.sample_count,
                    is_held_by_server: block.is_held_by_server,
                    reason: Reason::of(&block.rejection),
                })
                .collect(),
            photos: set_aside
                .photos
                .into_iter()
                .map(|photo| RefusedPhoto {
                    id: photo.manifest.id,
                    order_id: photo.manifest.work_order_id,
                    purpose: photo.manifest.purpose,
                    byte_length: photo.manifest.byte_length,
                    reason: Reason::of(&photo.rejection),
                })
                .collect(),
        })
    }

    /// Gives a rejected step again, as it was; judged anew by what the phone knows now.
    pub fn command_resend(&self, command: CommandId) -> Result<Order, PhoneError> {
        self.inner.act(|phone| phone.command_resend(command)).map(Order::from)
    }

    /// Gives another step in a rejected one's place, about the same order and for the same time.
    pub fn command_mend(&self, command: CommandId, mend: Mend) -> Result<Order, PhoneError> {
        self.inner.act(|phone| {
            let set_aside = phone.set_aside()?.commands;
            let refused = set_aside.into_iter().find(|refused| refused.command.id == command);
            let refused = refused.ok_or(facade::PhoneError::NothingToMend)?;
            let order = refused.command.work_order_id;
            let test = phone.order(order)?.view.field_test_id;
            // The walk belongs to the findings, whatever else of them is mended.
            let volte = phone.findings_draft(order)?.map(|draft| draft.volte).unwrap_or_default();
            let body = mend.into_core(test.unwrap_or(FieldTestId::NIL), volte)?;
            Ok::<_, PhoneError>(Order::from(phone.command_mend(command, body)?))
        })
    }

    /// Lets a rejected step be: it is no longer listed, and stays in the order's history.
    pub fn command_dismiss(&self, command: CommandId) -> Result<(), PhoneError> {
        self.inner.act(|phone| phone.command_dismiss(command))
    }

    /// Puts a refused photo back into the queue.
    pub fn photo_resend(&self, photo: PhotoId) -> Result<(), PhoneError> {
        self.inner.act(|phone| phone.photo_resend(photo))
    }

    /// Puts refused samples back into the queue; `hash` as in the set-aside items.
    pub fn block_resend(&self, hash: &str) -> Result<(), PhoneError> {
        let hash: BlockHash = hash.parse().map_err(|_| facade::PhoneError::NothingToMend)?;
        self.inner.act(|phone| phone.block_resend(hash))
    }
}
