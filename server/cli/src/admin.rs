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
        AdminCommand::Kpi(KpiCommand::Rebuild { store }) => {
            let counted = app(&store)?.kpi_rebuild(|_| ()).map_err(refused)?;
            println!("{counted} complaints counted anew.\n已重新统计 {counted} 件投诉。");
            Ok(())
        }
        AdminCommand::Audit(AuditCommand::Verify { store, anchor }) => audit_verify(&store, anchor.as_deref()),
    }
}

/// R-AUDIT-1: nothing in the trail was edited in place, no chain was dropped or written anew.
fn audit_verify(store: &StoreArguments, kept: Option<&str>) -> CommandResult {
    let kept = kept.map(anchor_of).transpose()?;
    let storage = store.storage()?;
    let cannot = |error| CommandError::because("the audit trail cannot be read", &error);
    let found = storage.read("audit_verify", |tx| tx.event_verify_all()).map_err(cannot)?;
    let anchored = storage.read("audit_verify_anchors", |tx| tx.audit_anchor_verify_all()).map_err(cannot)?;
    for problem in &found.problems {
        println!("{problem}");
    }
    for problem in &anchored.problems {
        println!("{problem}");
    }
    let mut problems = found.problems.len() + anchored.problems.len();
    if let Some((number, hash)) = kept {
        let there =
            storage.read("audit_verify_anchor", |tx| tx.audit_anchor_list(number.saturating_sub(1), 1)).map_err(
                |error: callout_storage::StorageError| CommandError::because("the audit trail cannot be read", &error),
            )?;
        if !there.first().is_some_and(|anchor| anchor.number == number && hexadecimal(&anchor.hash) == hash) {
            println!("anchor {number}: it is not the one that was kept elsewhere; the trail was written anew");
            problems += 1;
        }
    }
    println!(
        "{} events of {} subjects checked, {} anchors over {} events, {} reasons erased, {problems} do not fit.
已校验 {} 个对象的 {} 条事件、覆盖 {} 条事件的 {} 个锚点，已删除原因 {} 条，{problems} 处不符。",
        found.events,
        found.subjects,
        anchored.anchors,
        anchored.events,
        found.erased_reasons,
        found.subjects,
        found.events,
        anchored.events,
        anchored.anchors,
        found.erased_reasons,
    );
    if let Some(last) = &anchored.last {
        println!(
            "Newest anchor, to be kept elsewhere 最新锚点，请另行保存: {}:{}",
            last.number,
            hexadecimal(&last.hash)
        );
    }
    if problems == 0 { Ok(()) } else { Err(CommandError::new("the audit trail was tampered with")) }
}

fn hexadecimal(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn anchor_of(text: &str) -> CommandResult<(u64, String)> {
    let parts = text.split_once(':').and_then(|(number, hash)| Some((number.parse().ok()?, hash.to_lowercase())));
    parts
        .filter(|(number, hash)| *number > 0 && hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .ok_or_else(|| CommandError::new("--anchor: must be NUMBER:HASH as `audit verify` prints it"))
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
