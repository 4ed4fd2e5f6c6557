//! Capturing from a log: streams it through the importer into a session. Run again, it goes on behind the last safe sample.

use super::args::CaptureArgs;
use super::error::CliError;
use super::{Answer, Session};
use crate::capture::{CaptureError, Source};
use crate::import::{ImportOptions, import_reader, started_at_from_file_name};
use serde_json::json;
use std::fs::File;
use std::io::BufReader;

/// A line of progress after so many samples.
const PROGRESS_SAMPLES: u64 = 5_000;

pub(super) fn capture(session: &mut Session<'_>, args: &CaptureArgs) -> Result<Answer, CliError> {
    let mut phone = session.phone()?;
    let order = phone.order_find(&args.order)?;
    let file_error = |cause| CliError::File { path: args.log.clone(), cause };
    let name = args.log.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let source = Source::log(name.clone(), File::open(&args.log).map_err(file_error)?).map_err(file_error)?;
    let mut capture = phone.capture_begin(order, args.operator, &source)?;
    let resumed_at = capture.source_samples_safe();
    if resumed_at > 0 {
        let text = session.say(
            format!("going on after {resumed_at} samples that are safe"),
            format!("从已保存的 {resumed_at} 个样本之后继续"),
        );
        session.progress(&text);
    }
    let options = ImportOptions {
        utc_offset_minutes: args.utc_offset,
        started_at: started_at_from_file_name(&name),
        skip_samples: resumed_at,
        ..ImportOptions::default()
    };
    let reader = BufReader::with_capacity(64 * 1024, File::open(&args.log).map_err(file_error)?);
    let begun_at = session.env.now();
    let (mut taken, mut refused) = (0u64, 0u64);
    let mut failure: Option<CaptureError> = None;
    let imported = import_reader(reader, options, |imported| {
        // After a failure the rest of the log is left for the next run.
        if failure.is_some() {
            return;
        }
        match phone.capture_push(&mut capture, &imported.sample) {
            Ok(_) => taken += 1,
            Err(CaptureError::Refused(_)) => refused += 1,
            Err(error) => failure = Some(error),
        }
        if (taken + refused).is_multiple_of(PROGRESS_SAMPLES) {
            let text = session.say(format!("{taken} samples"), format!("{taken} 个样本"));
            session.progress(&text);
        }
        if let Some(pace) = args.pace {
            let millis = (taken + refused).saturating_mul(1_000) / u64::from(pace);
            session.env.sleep_until(begun_at.plus_millis(i64::try_from(millis).unwrap_or(i64::MAX)));
        }
    });
    phone.capture_flush(&mut capture)?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    let report = imported.map_err(|cause| CliError::Import { path: args.log.clone(), cause })?;
    let safe = capture.source_samples_safe();
    let text = format!(
        "{}\n{}",
        session.say(
            format!("{taken} samples captured, {safe} of this log safe"),
            format!("采集 {taken} 个样本，本日志共 {safe} 个已保存"),
        ),
        report.to_text(session.language()),
    );
    let json = json!({
        "captured_samples": taken, "resumed_at": resumed_at, "refused_samples": refused, "safe_samples": safe,
        "field_test_id": capture.field_test_id(), "operator": args.operator, "import": report,
    });
    Ok(Answer { text, json })
}
