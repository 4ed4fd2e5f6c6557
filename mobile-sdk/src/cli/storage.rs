//! How much the phone holds, the diagnostics bundle, and several people on one phone.

use super::args::{AccountsCommand, Quota};
use super::error::CliError;
use super::{Answer, Session, output};
use crate::facade::{AccountSlot, Accounts, Evicted, StorageLevel};
use serde_json::json;
use std::fmt::Write as _;

pub(super) fn storage(session: &mut Session<'_>, quota: Option<Quota>, frees: bool) -> Result<Answer, CliError> {
    let mut phone = session.phone()?;
    let mut freed = match quota {
        Some(Quota(bytes)) => phone.set_quota(bytes)?,
        None => Evicted::default(),
    };
    if frees {
        let Evicted { photos, blocks, bytes } = phone.storage_free()?;
        freed = Evicted { photos: freed.photos + photos, blocks: freed.blocks + blocks, bytes: freed.bytes + bytes };
    }
    let used = phone.storage_use()?;
    let level = match used.level {
        StorageLevel::Fine => session.say("fine", "充足"),
        StorageLevel::NearlyFull => session.say("nearly full: sync soon", "即将用满，请尽快同步"),
        StorageLevel::Full => session.say("full of what only this phone has: sync now", "已满（均未上传），请立即同步"),
    };
    let quota = used.quota_bytes.map_or_else(|| session.say("none", "无"), |bytes| bytes.to_string());
    let text = session.say(
        format!(
            "{} bytes only here, {} with the server, too; quota {quota}; {level}; let go of {} photos and {} blocks, {} bytes",
            used.held.unsent, used.held.confirmed, freed.photos, freed.blocks, freed.bytes
        ),
        format!(
            "仅在本机 {} 字节，已上传 {} 字节；配额 {quota}；{level}；已释放照片 {}、数据块 {}，共 {} 字节",
            used.held.unsent, used.held.confirmed, freed.photos, freed.blocks, freed.bytes
        ),
    );
    Ok(Answer { text, json: json!({ "storage": used, "freed": freed }) })
}

pub(super) fn diagnostics(session: &mut Session<'_>) -> Result<Answer, CliError> {
    let json = output::to_json(&session.phone()?.diagnostics()?);
    // The bundle is for whoever helps: the same in every language.
    Ok(Answer { text: format!("{json:#}"), json })
}

fn slot_find(accounts: &Accounts, name: &str) -> Result<AccountSlot, CliError> {
    let slot = name.parse().map_err(|_| CliError::AccountUnknown)?;
    if accounts.list()?.contains(&slot) { Ok(slot) } else { Err(CliError::AccountUnknown) }
}

pub(super) fn accounts(session: &mut Session<'_>, command: &AccountsCommand) -> Result<Answer, CliError> {
    let accounts = session.accounts()?;
    match command {
        AccountsCommand::List => {}
        AccountsCommand::Add => drop(accounts.add(session.env.as_ref())?),
        AccountsCommand::Switch { slot: Some(slot) } => accounts.switch(slot_find(&accounts, slot)?)?,
        AccountsCommand::Switch { slot: None } => accounts.leave()?,
        AccountsCommand::Remove { slot } => {
            let slot = slot_find(&accounts, slot)?;
            let phone = accounts.phone(slot, session.config(), session.env.clone())?;
            accounts.remove(slot, phone)?;
        }
    }
    // Names are inside the stores, and the others' keys are not here.
    let current = accounts.current();
    let mut text = String::new();
    let mut slots = Vec::new();
    for slot in accounts.list()? {
        let is_current = Some(slot) == current;
        let _ = writeln!(text, "{} {slot}", if is_current { "*" } else { " " });
        slots.push(json!({ "slot": slot.to_string(), "is_current": is_current }));
    }
    if slots.is_empty() {
        text = session.say("no accounts; this folder is one phone", "没有账号；此目录即一部手机");
    }
    Ok(Answer { text, json: json!({ "accounts": slots }) })
}
