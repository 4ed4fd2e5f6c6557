//! Staying in touch: listens to the server's wake-ups and prints what they bring.

use super::error::CliError;
use super::{Answer, Session, output};
use crate::engine::ListenProgress;
use crate::facade::{ListenControl, OrderWatch};
use serde_json::json;

pub(super) fn watch(
    session: &mut Session<'_>,
    seconds: Option<u32>,
    changes_max: Option<u64>,
) -> Result<Answer, CliError> {
    let mut client = session.client()?;
    let mut phone = session.phone()?;
    // The one handle listens; what it brings is read by the other.
    let shown = phone.beside()?;
    let mut watch = OrderWatch::default();
    shown.order_changes(&mut watch)?;
    let control = ListenControl::default();
    if let Some(seconds) = seconds {
        let (env, control) = (session.env.clone(), control.clone());
        let until = env.now().plus_seconds(seconds.into());
        std::thread::spawn(move || {
            env.sleep_until(until);
            control.stop();
        });
    }
    let (language, is_json) = (session.language(), session.args.json);
    let (stdout, stderr) = (&mut *session.stdout, &mut *session.stderr);
    let mut told = 0;
    let mut failure = None;
    let ended = phone.listen(&mut client, &control, &mut |progress: &ListenProgress| {
        if let Some(line) = output::listen_text(progress, language) {
            let _ = writeln!(stderr, "{line}");
        }
        if !matches!(progress, ListenProgress::Synced { .. }) {
            return;
        }
        match shown.order_changes(&mut watch) {
            Ok(changes) => {
                for change in &changes {
                    let line = match is_json {
                        true => output::to_json(change).to_string(),
                        false => output::order_change_text(change, language),
                    };
                    told += 1;
                    // Nobody reads on: there is nothing to watch for.
                    let is_read = writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_ok();
                    if !is_read || changes_max.is_some_and(|max| told >= max) {
                        control.stop();
                    }
                }
            }
            Err(error) => {
                failure = Some(error);
                control.stop();
            }
        }
    });
    match failure {
        Some(error) => return Err(error.into()),
        None => ended?,
    }
    let text = session.say(format!("{told} changes"), format!("{told} 项变化"));
    Ok(Answer { text, json: json!({ "changes": told }) })
}
