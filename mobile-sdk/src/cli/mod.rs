//! The terminal phone: drives [`Phone`] by hand. A library, so that another program can offer it as a subcommand.
//!
//! Results go to standard output (readable, or one JSON object with `--json`), progress to standard error. The exit status tells
//! scripts what happened; see [`Exit`]. What does not belong here: anything that an app would need, too (`facade`).

mod args;
mod capture;
mod error;
mod evidence;
mod field;
mod mending;
mod output;
mod seal;
mod storage;
mod watch;

pub use args::{FieldCommand, PhoneArgs, PhoneCommand};
pub use error::Exit;

use crate::engine::Progress;
use crate::env::Env;
use crate::facade::{Accounts, Phone, PhoneConfig};
use crate::import::Language;
use crate::transport::Transport as _;
use crate::transport::http_client::{HttpClient, ServerUrl};
use error::CliError;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write};
use std::path::Path;
use std::sync::Arc;

/// The server that was signed in to is remembered here, so that it need not be named every time.
const SERVER_FILE: &str = "server";

/// What a command has to say: for people and for machines.
struct Answer {
    text: String,
    json: Value,
}

/// What every command works with.
struct Session<'a> {
    args: &'a PhoneArgs,
    env: Arc<dyn Env>,
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
}

impl Session<'_> {
    fn language(&self) -> Language {
        self.args.language.into()
    }

    fn say(&self, english: impl Into<String>, chinese: impl Into<String>) -> String {
        match self.language() {
            Language::English => english.into(),
            Language::Chinese => chinese.into(),
        }
    }

    /// Progress is a courtesy: where it cannot be written it is not written.
    fn progress(&mut self, text: &str) {
        let _ = writeln!(self.stderr, "{text}");
    }

    fn config(&self) -> PhoneConfig {
        PhoneConfig {
            device_name: self.args.device_name.clone(),
            store_key: self.args.store_key.clone(),
            ..PhoneConfig::default()
        }
    }

    /// The current account's phone; the folder's own where there are no accounts.
    fn phone(&self) -> Result<Phone, CliError> {
        let accounts = Accounts::find(&self.args.data_dir);
        Ok(match accounts.and_then(|accounts| accounts.current().map(|slot| (accounts, slot))) {
            Some((accounts, slot)) => accounts.phone(slot, self.config(), self.env.clone())?,
            None => Phone::open(&self.args.data_dir, self.config(), self.env.clone())?,
        })
    }

    fn accounts(&self) -> Result<Accounts, CliError> {
        Ok(Accounts::open(&self.args.data_dir)?)
    }

    fn client(&self) -> Result<HttpClient, CliError> {
        if self.args.offline {
            return Err(CliError::Offline);
        }
        let remembered = || fs::read_to_string(self.args.data_dir.join(SERVER_FILE)).ok();
        let server = self.args.server.clone().or_else(remembered).ok_or(CliError::ServerUnknown)?;
        Ok(HttpClient::new(ServerUrl::parse(server.trim(), self.args.allow_plain_http)?))
    }
}

/// Runs one command. Nothing else is written than its result and its progress.
pub fn run(args: PhoneArgs, env: Arc<dyn Env>, stdout: &mut dyn Write, stderr: &mut dyn Write) -> Exit {
    let mut session = Session { args: &args, env, stdout, stderr };
    let result = command_run(&mut session);
    let language = session.language();
    let (answer, exit) = match result {
        Ok(answer) => (answer, Exit::Done),
        Err(error) => {
            let exit = error.exit();
            (Answer { text: error.message(language), json: json!({ "error": error.to_json() }) }, exit)
        }
    };
    let written = match (args.json, exit) {
        (true, _) => writeln!(stdout, "{}", answer.json),
        (false, Exit::Done) => writeln!(stdout, "{}", answer.text.trim_end()),
        (false, _) => writeln!(stderr, "{}", answer.text),
    };
    // A reader that went away (`phone orders | head`) is no failure of the command.
    if written.is_err() && exit == Exit::Done { Exit::Done } else { exit }
}

fn command_run(session: &mut Session<'_>) -> Result<Answer, CliError> {
    let args = session.args;
    match &args.command {
        PhoneCommand::SignIn { user, password_stdin } => sign_in(session, user, *password_stdin),
        PhoneCommand::SignOut => {
            session.phone()?.sign_out()?;
            Ok(Answer { text: session.say("signed out", "已退出登录"), json: json!({ "signed_in": false }) })
        }
        PhoneCommand::Sync { retries } => sync(session, *retries),
        PhoneCommand::Watch { seconds, changes } => watch::watch(session, *seconds, *changes),
        PhoneCommand::Orders => {
            let orders = session.phone()?.orders()?;
            let text = output::orders_text(&orders, session.language());
            Ok(Answer { text, json: json!({ "orders": orders }) })
        }
        PhoneCommand::Order { order } => {
            let phone = session.phone()?;
            let id = phone.order_find(order)?;
            let (order, outbox) = (phone.order(id)?, phone.outbox(id)?);
            let text = output::order_text(&order, &outbox, session.language());
            let words = order.view.contact_words();
            Ok(Answer { text, json: json!({ "order": order, "commands": outbox, "contact_words": words }) })
        }
        PhoneCommand::Status => {
            let status = session.phone()?.status()?;
            let text = output::status_text(&status, session.language());
            Ok(Answer { text, json: output::to_json(&status) })
        }
        PhoneCommand::Quarantine => {
            let set_aside = session.phone()?.set_aside()?;
            let text = output::set_aside_text(&set_aside, session.language());
            Ok(Answer { text, json: output::to_json(&set_aside) })
        }
        PhoneCommand::Resend { item } => mending::resend(session, item),
        PhoneCommand::Mend { command, with } => mending::mend(session, command, with),
        PhoneCommand::Dismiss { command } => mending::dismiss(session, command),
        PhoneCommand::Checklist { order } => evidence::checklist(session, order),
        PhoneCommand::Words { order } => evidence::words(session, order),
        PhoneCommand::Volte(volte) => evidence::volte(session, volte),
        PhoneCommand::Storage { quota, free } => storage::storage(session, *quota, *free),
        PhoneCommand::Diagnostics => storage::diagnostics(session),
        PhoneCommand::Accounts(command) => storage::accounts(session, command),
        PhoneCommand::Capture(capture) => capture::capture(session, capture),
        PhoneCommand::Seal { log, operator, utc_offset, output } => {
            seal::seal(session, log, *operator, *utc_offset, output.as_deref())
        }
        PhoneCommand::Unseal { files } => seal::unseal(files),
        PhoneCommand::Field(command) => field::field_command(session, command),
    }
}

fn password_read(from_stdin: bool) -> Result<String, CliError> {
    if from_stdin {
        let mut text = String::new();
        // A password is short; whatever pours in beyond that is none.
        std::io::stdin().take(4_096).read_to_string(&mut text).map_err(|_| CliError::PasswordAbsent)?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    std::env::var("CALLOUT_PASSWORD").map_err(|_| CliError::PasswordAbsent)
}

fn sign_in(session: &mut Session<'_>, user: &str, password_stdin: bool) -> Result<Answer, CliError> {
    let mut client = session.client()?;
    let password = password_read(password_stdin)?;
    let mut phone = session.phone()?;
    let account = phone.sign_in(&mut client, user, &password)?;
    if let Some(server) = &session.args.server {
        server_remember(&session.args.data_dir, server)?;
    }
    let text =
        session.say(format!("signed in as {}", account.display_name), format!("已登录：{}", account.display_name));
    let json = json!({
        "signed_in": true, "user_id": account.user_id, "display_name": account.display_name, "device_id": phone.device_id(),
    });
    Ok(Answer { text, json })
}

fn server_remember(data_dir: &Path, server: &str) -> Result<(), CliError> {
    let path = data_dir.join(SERVER_FILE);
    fs::write(&path, server).map_err(|cause| CliError::File { path, cause })
}

fn sync(session: &mut Session<'_>, retries: u32) -> Result<Answer, CliError> {
    let mut client = session.client()?;
    let mut phone = session.phone()?;
    let language = session.language();
    let stderr = &mut *session.stderr;
    let result = phone.sync(&mut client, retries, &mut |progress: &Progress| {
        if let Some(line) = output::progress_text(progress, language) {
            let _ = writeln!(stderr, "{line}");
        }
    });
    let (summary, traffic) = (result?, client.traffic());
    let text = output::summary_text(&summary, &traffic, session.language());
    Ok(Answer { text, json: json!({ "sync": summary, "traffic": traffic }) })
}
