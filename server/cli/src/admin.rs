//! `callout admin …`: what an administrator does on the server's own machine, over the database itself. Whoever may read the
//! database's file or URL may do all of it, so nobody is asked to sign in.

use crate::arguments::{AdminCommand, AuditCommand, KpiCommand, StoreArguments};
use crate::{CommandError, CommandResult};
use callout_server::app::access::Role;
use callout_server::app::users::UserNew;
use callout_server::app::{App, AppConfig};
use callout_server::env::Env;
use callout_sync_protocol::ids::RegionId;
use std::io::BufRead as _;

/// Runs one.
///
/// # Errors
/// In the reader's words.
pub fn run(command: AdminCommand) -> CommandResult {
    match command {
        AdminCommand::UserAdd { store, name, display_name, roles, regions, all_regions, password_stdin } => {
            let (password, is_generated) = password_get(password_stdin)?;
            let new = UserNew {
                display_name: display_name.unwrap_or_else(|| name.clone()),
                user_name: name.clone(),
                password: password.clone(),
                roles: roles.iter().map(|role| role_of(role)).collect::<CommandResult<_>>()?,
                all_regions,
                region_ids: regions.iter().map(|region| region_of(region)).collect::<CommandResult<_>>()?,
            };
            let (user, _) = app(&store)?.user_create_as(None, new).map_err(refused)?;
            println!("User {name} added, id {}.\n已新增用户 {name}。", user.id);
            password_show(&password, is_generated);
            Ok(())
        }
        AdminCommand::Password { store, name, password_stdin } => {
            let (password, is_generated) = password_get(password_stdin)?;
            app(&store)?.user_password_set(&name, &password).map_err(refused)?;
            println!("The password of {name} is set; all sessions have ended.\n已重置 {name} 的口令，其会话均已结束。");
            password_show(&password, is_generated);
            Ok(())
        }
        AdminCommand::RotateKeys { store } => {
            let id = app(&store)?.signing_key_rotate().map_err(refused)?;
            println!("Key {id} signs from now on.\n新签名密钥 {id} 已生效。");
            Ok(())
        }
        AdminCommand::Audit(AuditCommand::Verify { store }) => audit_verify(&store),
        AdminCommand::Kpi(KpiCommand::Rebuild { store }) => {
            let counted = app(&store)?.kpi_rebuild(|_| ()).map_err(refused)?;
            println!("{counted} complaints counted anew.\n已重新统计 {counted} 件投诉。");
            Ok(())
        }
    }
}

/// R-AUDIT-1: nothing in the trail was edited in place.
fn audit_verify(store: &StoreArguments) -> CommandResult {
    let found = store
        .storage()?
        .read("audit_verify", |tx| tx.event_verify_all())
        .map_err(|error| CommandError::because("the audit trail cannot be read", &error))?;
    for problem in &found.problems {
        println!("{problem}");
    }
    println!(
        "{} events of {} subjects checked, {} do not fit.\n已校验 {} 个对象的 {} 条事件，{} 处不符。",
        found.events,
        found.subjects,
        found.problems.len(),
        found.subjects,
        found.events,
        found.problems.len()
    );
    if found.problems.is_empty() { Ok(()) } else { Err(CommandError::new("the audit trail was tampered with")) }
}

fn refused(error: callout_server::app::error::AppError) -> CommandError {
    CommandError::because(&error.detail, &error)
}

fn app(store: &StoreArguments) -> CommandResult<App> {
    let storage = store.storage()?;
    storage.migrate().map_err(|error| CommandError::because("the database cannot be migrated", &error))?;
    App::new(storage, Env::system(), AppConfig::default()).map_err(refused)
}

fn role_of(text: &str) -> CommandResult<Role> {
    text.parse().map_err(|_| {
        let roles: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        CommandError::new(format!("--role {text}: expected one of {}", roles.join(", ")))
    })
}

fn region_of(text: &str) -> CommandResult<RegionId> {
    text.parse().map_err(|_| CommandError::new(format!("--region {text}: expected a region's id")))
}

/// The password from standard input, or a new one; and whether it is new.
fn password_get(is_on_stdin: bool) -> CommandResult<(String, bool)> {
    if is_on_stdin {
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| CommandError::because("standard input", &error))?;
        return Ok((line.trim_end_matches(['\r', '\n']).to_owned(), false));
    }
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|error| CommandError::new(format!("no randomness: {error}")))?;
    Ok((bytes.iter().map(|byte| format!("{byte:02x}")).collect(), true))
}

fn password_show(password: &str, is_generated: bool) {
    if is_generated {
        println!("Password (shown only this once): {password}\n口令（仅显示一次）：{password}");
    }
}
