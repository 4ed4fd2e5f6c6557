//! What the server refused: sent again, mended, or let be.

use super::args::{MendCommand, PlaceArgs, YesNo};
use super::error::CliError;
use super::{Answer, Session, field};
use crate::facade::{Phone, PhoneError};
use crate::findings::FindingsDraft;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::{CommandId, PhotoId};
use callout_sync_protocol::samples::BlockHash;
use serde_json::json;

/// Something that was refused.
enum Refused {
    Command(CommandId),
    Photo(PhotoId),
    Block(BlockHash),
}

/// By its id or hash, or an end of it that nothing else here has.
fn refused_find(phone: &Phone, name: &str) -> Result<Refused, PhoneError> {
    let wanted = name.trim().to_ascii_lowercase();
    let set_aside = phone.set_aside()?;
    let commands = set_aside.commands.iter().map(|refused| refused.command.id);
    let photos = set_aside.photos.iter().map(|photo| photo.manifest.id);
    let blocks = set_aside.blocks.iter().map(|block| block.citation.hash);
    let mut matches = commands
        .map(|id| (id.to_string(), Refused::Command(id)))
        .chain(photos.map(|id| (id.to_string(), Refused::Photo(id))))
        .chain(blocks.map(|hash| (hash.to_string(), Refused::Block(hash))))
        .filter(|(text, _)| !wanted.is_empty() && (text.starts_with(&wanted) || text.ends_with(&wanted)));
    match (matches.next(), matches.next()) {
        (Some((_, refused)), None) => Ok(refused),
        _ => Err(PhoneError::NothingToMend),
    }
}

fn command_find(phone: &Phone, name: &str) -> Result<CommandId, PhoneError> {
    match refused_find(phone, name)? {
        Refused::Command(id) => Ok(id),
        Refused::Photo(_) | Refused::Block(_) => Err(PhoneError::NothingToMend),
    }
}

pub(super) fn resend(session: &mut Session<'_>, name: &str) -> Result<Answer, CliError> {
    let mut phone = session.phone()?;
    let order = match refused_find(&phone, name)? {
        Refused::Command(id) => phone.command_resend(id)?,
        Refused::Photo(id) => {
            phone.photo_resend(id)?;
            return Ok(queued(session));
        }
        Refused::Block(hash) => {
            phone.block_resend(hash)?;
            return Ok(queued(session));
        }
    };
    Ok(field::done(session, &order))
}

fn queued(session: &Session<'_>) -> Answer {
    let text = session.say("to be sent again at the next sync", "将在下次同步时重发");
    Answer { text, json: json!({ "queued": true }) }
}

pub(super) fn dismiss(session: &mut Session<'_>, name: &str) -> Result<Answer, CliError> {
    let mut phone = session.phone()?;
    let id = command_find(&phone, name)?;
    phone.command_dismiss(id)?;
    let text = session.say("no longer listed; it stays in the order's history", "不再列出，仍保留在工单记录中");
    Ok(Answer { text, json: json!({ "dismissed": id }) })
}

pub(super) fn mend(session: &mut Session<'_>, name: &str, with: &MendCommand) -> Result<Answer, CliError> {
    let mut phone = session.phone()?;
    let id = command_find(&phone, name)?;
    let refused = phone.set_aside()?.commands.into_iter().find(|refused| refused.command.id == id);
    let refused = refused.ok_or(PhoneError::NothingToMend)?.command;
    let test = phone.order(refused.work_order_id)?.view.field_test_id;
    let body = match with {
        MendCommand::Decline { reason } => CommandBody::Decline { reason: reason.clone() },
        MendCommand::Contact(report) => CommandBody::Contact {
            outcome: report.outcome,
            appointment: report.appointment(),
            emergency_reason: report.emergency.clone(),
            note: report.note.clone(),
        },
        MendCommand::Arrive(PlaceArgs { lat, lon, accuracy }) => {
            CommandBody::Arrive { position: field::position(*lat, *lon, *accuracy)? }
        }
        MendCommand::Consent { answer } => CommandBody::PhotoConsent { granted: *answer == YesNo::Yes },
        MendCommand::Finding(newer) => {
            // What is not said anew stays as it was refused, the walk included.
            let CommandBody::FindingsRecord { field_test_id, findings } = refused.body else {
                return Err(PhoneError::NothingToMend.into());
            };
            let draft = FindingsDraft::from(findings).merged(field::findings_draft(newer)?);
            let findings = draft.complete().ok_or_else(|| PhoneError::FindingsIncomplete(draft.missing()))?;
            CommandBody::FindingsRecord { field_test_id, findings }
        }
        MendCommand::Submit { missing } => {
            let missing_operators = field::missing_operators(missing)?;
            // Blocks and photos are those that the test has then.
            let field_test_id = test.ok_or(PhoneError::NothingToMend)?;
            CommandBody::TestSubmit { field_test_id, blocks: vec![], photos: vec![], missing_operators }
        }
    };
    let order = phone.command_mend(id, body)?;
    Ok(field::done(session, &order))
}
