//! The tester's acts on an order.

use super::args::{ContactArgs, FieldCommand, FindingArgs, FindingFields, PlaceArgs, YesNo};
use super::error::CliError;
use super::{Answer, Session, output};
use crate::facade::{Phone, PhotoRequest};
use crate::findings::FindingsDraft;
use crate::import::Language;
use crate::local_order::LocalOrder;
use callout_sync_protocol::commands::MissingOperator;
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::samples::Position;
use serde_json::json;

pub(super) fn position(lat: f64, lon: f64, accuracy_m: Option<u16>) -> Result<Position, CliError> {
    // Written so that NaN is refused, too.
    if !(lat.abs() <= 90.0 && lon.abs() <= 180.0) {
        return Err(CliError::Place);
    }
    let e6 = |degrees: f64| (degrees * 1e6).round() as i32;
    Ok(Position { latitude_e6: e6(lat), longitude_e6: e6(lon), accuracy_m, is_mock: false })
}

pub(super) fn field_command(session: &mut Session<'_>, command: &FieldCommand) -> Result<Answer, CliError> {
    let mut phone = session.phone()?;
    let order = match command {
        FieldCommand::Accept { order } => {
            let id = phone.order_find(order)?;
            phone.accept(id)?
        }
        FieldCommand::Decline { order, reason } => {
            let id = phone.order_find(order)?;
            phone.decline(id, reason)?
        }
        FieldCommand::Contact(args) => contact(&mut phone, args)?,
        FieldCommand::Arrive { order, place: PlaceArgs { lat, lon, accuracy } } => {
            let id = phone.order_find(order)?;
            phone.arrive(id, position(*lat, *lon, *accuracy)?)?
        }
        FieldCommand::Consent { order, answer } => {
            let id = phone.order_find(order)?;
            phone.photo_consent(id, *answer == YesNo::Yes)?
        }
        FieldCommand::Photo { order, file, purpose, captured_at } => {
            let id = phone.order_find(order)?;
            let request = PhotoRequest { captured_at: *captured_at, ..PhotoRequest::new(*purpose) };
            let manifest = phone.photo_add_file(id, file, request)?;
            let text = session.say(
                format!("photo {} added: {} bytes", manifest.id, manifest.byte_length),
                format!("照片 {} 已添加：{} 字节", manifest.id, manifest.byte_length),
            );
            return Ok(Answer { text, json: json!({ "photo": manifest }) });
        }
        FieldCommand::Finding(args) => finding(&mut phone, args)?,
        FieldCommand::Submit { order, missing } => {
            let id = phone.order_find(order)?;
            phone.submit(id, missing_operators(missing)?)?
        }
    };
    Ok(done(session, &order))
}

pub(super) fn done(session: &Session<'_>, order: &LocalOrder) -> Answer {
    Answer { text: done_text(order, session.language()), json: json!({ "order": order }) }
}

fn done_text(order: &LocalOrder, language: Language) -> String {
    let state = output::name(order.view.state, language);
    match language {
        Language::English => {
            format!("{}: {state}; {} to be sent at the next sync", order.view.number, order.waiting_commands)
        }
        Language::Chinese => format!("{}：{state}；{} 条待同步", order.view.number, order.waiting_commands),
    }
}

fn contact(phone: &mut Phone, args: &ContactArgs) -> Result<LocalOrder, CliError> {
    let id = phone.order_find(&args.order)?;
    let report = &args.report;
    Ok(phone.contact(id, report.outcome, report.appointment(), report.emergency.clone(), report.note.clone())?)
}

fn finding(phone: &mut Phone, args: &FindingArgs) -> Result<LocalOrder, CliError> {
    let id: WorkOrderId = phone.order_find(&args.order)?;
    let mut newer = findings_draft(&args.findings)?;
    // The test is made where the order says, unless the tester says otherwise.
    let earlier = phone.findings_draft(id)?.and_then(|draft| draft.address);
    if newer.address.is_none() && earlier.is_none() {
        newer.address = Some(phone.order(id)?.view.address);
    }
    Ok(phone.findings_write(id, newer)?)
}

pub(super) fn findings_draft(fields: &FindingFields) -> Result<FindingsDraft, CliError> {
    let place = match fields.lat.zip(fields.lon) {
        Some((lat, lon)) => Some(position(lat, lon, None)?),
        None => None,
    };
    Ok(FindingsDraft {
        problem: fields.problem.clone(),
        generation: fields.generation,
        service: fields.service,
        occurs: fields.occurs.clone(),
        address: fields.address.clone(),
        position: place,
        competitor_coverage: fields.competitors.clone(),
        serving_sites: fields.serving_site.clone(),
        planned_sites: fields.planned_site.clone(),
        shareable_resources: fields.shareable.clone(),
        pressing_need: fields.need.clone(),
        contact_left: fields.contact_left.then_some(true),
        revisit_announced: fields.revisit_announced.then_some(true),
        volte: Vec::new(),
    })
}

pub(super) fn missing_operators(texts: &[String]) -> Result<Vec<MissingOperator>, CliError> {
    let read = |text: &String| {
        let (operator, reason) = text.split_once('=').ok_or(CliError::Missing)?;
        let operator = operator.trim().parse().map_err(|_| CliError::Missing)?;
        Ok(MissingOperator { operator, reason: reason.trim().to_owned() })
    };
    texts.iter().map(read).collect()
}
