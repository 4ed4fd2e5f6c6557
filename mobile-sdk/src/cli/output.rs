//! What the terminal shows to people, in English or Chinese.

use crate::engine::{ListenProgress, NotNow, Progress, SyncSummary};
use crate::facade::{OrderChange, SetAside, Status};
use crate::import::Language;
use crate::local_order::LocalOrder;
use crate::store::commands::{CommandStanding, OutboxCommand};
use crate::transport::Traffic;
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{LeftReason, Symptom, Urgency, WorkOrderState};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;
use time::UtcOffset;

pub(super) fn to_json(value: &impl Serialize) -> Value {
    // Only maps with keys that are no texts fail, and none of our types has such.
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Something that has a name in both languages.
pub(super) trait Named: Copy {
    fn en(self) -> &'static str;
    fn zh(self) -> &'static str;
}

macro_rules! named {
    ($($kind:ty),+) => {
        $(impl Named for $kind {
            fn en(self) -> &'static str { self.as_str() }
            fn zh(self) -> &'static str { self.name_zh() }
        })+
    };
}
named!(WorkOrderState, Symptom, Urgency, LeftReason);

pub(super) fn name(named: impl Named, language: Language) -> &'static str {
    pick(language, named.en(), named.zh())
}

pub(super) fn pick<'a>(language: Language, english: &'a str, chinese: &'a str) -> &'a str {
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

fn rejection_text(rejection: &Rejection, language: Language) -> String {
    let title = pick(language, rejection.problem.title_en(), rejection.problem.title_zh());
    format!("{title} ({})", rejection.detail)
}

/// An instant at the site's clock, to the minute.
fn local_text(at: Timestamp, utc_offset_minutes: i16) -> String {
    let offset = UtcOffset::from_whole_seconds(i32::from(utc_offset_minutes) * 60).unwrap_or(UtcOffset::UTC);
    let at = at.to_offset_date_time().to_offset(offset);
    format!("{:04}-{:02}-{:02} {:02}:{:02}", at.year(), u8::from(at.month()), at.day(), at.hour(), at.minute())
}

pub(super) fn orders_text(orders: &[LocalOrder], language: Language) -> String {
    if orders.is_empty() {
        return pick(language, "no orders", "没有工单").to_owned();
    }
    let mut text = String::new();
    for order in orders {
        let view = &order.view;
        let state = match (order.is_in_scope, order.left_reason) {
            (true, _) => name(view.state, language),
            (false, Some(reason)) => name(reason, language),
            (false, None) => pick(language, "left", "已离开"),
        };
        let due = view.due_at.map_or_else(|| "-".to_owned(), |at| local_text(at, view.utc_offset_minutes));
        let _ = write!(
            text,
            "{}  {state:<10}  {:<8}  {:<13}  {} {due}  {}",
            view.number,
            name(view.urgency, language),
            name(view.symptom, language),
            pick(language, "due", "期限"),
            view.address,
        );
        if order.waiting_commands + order.rejected_commands > 0 {
            let _ = write!(
                text,
                "  [{} {}, {} {}]",
                order.waiting_commands,
                pick(language, "waiting", "待同步"),
                order.rejected_commands,
                pick(language, "rejected", "被拒"),
            );
        }
        text.push('\n');
    }
    text
}

pub(super) fn order_text(order: &LocalOrder, outbox: &[OutboxCommand], language: Language) -> String {
    let view = &order.view;
    let mut text = orders_text(std::slice::from_ref(order), language);
    let mut line = |english: &str, chinese: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {}: {value}", pick(language, english, chinese));
        }
    };
    line("id", "标识", &view.id.to_string());
    line("complaint", "投诉内容", &view.description);
    line("customer", "客户", format!("{} {}", view.customer.name, view.customer.phone).trim());
    if let Some(window) = view.appointment {
        let (from, until) =
            (local_text(window.from, view.utc_offset_minutes), local_text(window.until, view.utc_offset_minutes));
        line("appointment", "预约", &format!("{from} – {until}"));
    }
    // R-CONTACT-2
    let words = view.contact_words();
    let words = match language {
        Language::English => &words.en,
        Language::Chinese => &words.zh,
    };
    line("begin with", "开场", &words.opening);
    line("end with", "结束", &words.closing);
    line("sent back because", "退回原因", &view.return_reasons.join("; "));
    for OutboxCommand { command, standing, .. } in outbox {
        let at = local_text(command.captured_at, view.utc_offset_minutes);
        let standing = match standing {
            CommandStanding::Waiting => pick(language, "waiting", "待同步").to_owned(),
            CommandStanding::Accepted { .. } => pick(language, "accepted", "已接受").to_owned(),
            CommandStanding::Rejected { rejection } => {
                format!("{}: {}", pick(language, "rejected", "被拒"), rejection_text(rejection, language))
            }
        };
        line(&at, &at, &format!("{} – {standing}", command.body.kind()));
    }
    text
}

pub(super) fn status_text(status: &Status, language: Language) -> String {
    let Status { captures, blocks, commands, photos, .. } = status;
    let user = status.user_name.as_deref().unwrap_or("-");
    let last_sync = status.last_sync_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    match language {
        Language::English => format!(
            "user      {user}{}\norders    {} here, {} left\nsamples   {} captured, {} not sealed yet, {} refused by their ranges, {} damaged\n\
             blocks    {} to be sent, {} stored, {} quarantined, {} refused ({} bytes)\ncommands  {} waiting, {} accepted, {} rejected\n\
             photos    {} waiting, {} stored, {} refused\nlast sync {last_sync}, this phone's clock {} ms ahead",
            if status.is_signed_in { "" } else { " (signed out)" },
            status.orders,
            status.orders_left,
            captures.samples,
            captures.unsealed_samples,
            captures.refused_samples,
            captures.damaged_samples,
            blocks.sealed,
            blocks.stored,
            blocks.quarantined,
            blocks.refused,
            blocks.bytes,
            commands.waiting,
            commands.accepted,
            commands.rejected,
            photos.waiting,
            photos.stored,
            photos.refused,
            status.clock_ahead_ms,
        ),
        Language::Chinese => format!(
            "用户  {user}{}\n工单  在手 {}，已离开 {}\n样本  已采集 {}，未封装 {}，超出范围 {}，损坏 {}\n\
             数据块  待发送 {}，已入库 {}，隔离 {}，被拒 {}（{} 字节）\n命令  待同步 {}，已接受 {}，被拒 {}\n\
             照片  待上传 {}，已入库 {}，被拒 {}\n上次同步 {last_sync}，本机时钟快 {} 毫秒",
            if status.is_signed_in { "" } else { "（未登录）" },
            status.orders,
            status.orders_left,
            captures.samples,
            captures.unsealed_samples,
            captures.refused_samples,
            captures.damaged_samples,
            blocks.sealed,
            blocks.stored,
            blocks.quarantined,
            blocks.refused,
            blocks.bytes,
            commands.waiting,
            commands.accepted,
            commands.rejected,
            photos.waiting,
            photos.stored,
            photos.refused,
            status.clock_ahead_ms,
        ),
    }
}

pub(super) fn set_aside_text(set_aside: &SetAside, language: Language) -> String {
    let mut text = String::new();
    for OutboxCommand { command, standing, .. } in &set_aside.commands {
        if let CommandStanding::Rejected { rejection } = standing {
            let _ = writeln!(
                text,
                "{} {} {} {}: {}",
                pick(language, "command", "命令"),
                command.id,
                command.body.kind(),
                command.work_order_id,
                rejection_text(rejection, language)
            );
        }
    }
    for block in &set_aside.blocks {
        let held = if block.is_held_by_server {
            pick(language, "quarantined by the server", "服务器隔离")
        } else {
            pick(language, "refused, kept on this phone", "被拒，保留在本机")
        };
        let _ = writeln!(
            text,
            "{} {} {}/{} {}, {held}: {}",
            pick(language, "block", "数据块"),
            block.citation.hash,
            block.citation.operator,
            block.citation.sequence,
            block.work_order_id,
            rejection_text(&block.rejection, language)
        );
    }
    for photo in &set_aside.photos {
        let _ = writeln!(
            text,
            "{} {} {}: {}",
            pick(language, "photo", "照片"),
            photo.manifest.id,
            photo.manifest.work_order_id,
            rejection_text(&photo.rejection, language)
        );
    }
    if text.is_empty() { pick(language, "nothing was refused", "没有被拒的内容").to_owned() } else { text }
}

pub(super) fn summary_text(summary: &SyncSummary, traffic: &Traffic, language: Language) -> String {
    match language {
        Language::English => format!(
            "synced: {} orders new or changed, {} left; commands {} accepted, {} rejected; blocks {} stored, {} quarantined, {} refused; \
             photos {} stored, {} refused; {} bytes sent, {} received in {} requests",
            summary.orders_changed,
            summary.orders_left,
            summary.commands_accepted,
            summary.commands_rejected,
            summary.blocks_stored,
            summary.blocks_quarantined,
            summary.blocks_refused,
            summary.photos_stored,
            summary.photos_refused,
            traffic.bytes_sent,
            traffic.bytes_received,
            traffic.requests,
        ),
        Language::Chinese => format!(
            "同步完成：工单更新 {}，离开 {}；命令接受 {}，被拒 {}；数据块入库 {}，隔离 {}，被拒 {}；照片入库 {}，被拒 {}；\
             {} 次请求，发送 {} 字节，接收 {} 字节",
            summary.orders_changed,
            summary.orders_left,
            summary.commands_accepted,
            summary.commands_rejected,
            summary.blocks_stored,
            summary.blocks_quarantined,
            summary.blocks_refused,
            summary.photos_stored,
            summary.photos_refused,
            traffic.requests,
            traffic.bytes_sent,
            traffic.bytes_received,
        ),
    }
}

pub(super) fn progress_text(progress: &Progress, language: Language) -> Option<String> {
    match (progress, language) {
        (Progress::WillRetry { reason, at }, Language::English) => Some(format!("{reason}; trying again at {at}")),
        (Progress::WillRetry { reason, at }, Language::Chinese) => Some(format!("{reason}；将于 {at} 重试")),
        (Progress::PhotoProgress { id, offset, length }, Language::English) => {
            Some(format!("photo {id}: {offset} of {length} bytes"))
        }
        (Progress::PhotoProgress { id, offset, length }, Language::Chinese) => {
            Some(format!("照片 {id}：{offset}/{length} 字节"))
        }
        (
            Progress::RoundDone { .. }
            | Progress::Finished { .. }
            | Progress::NotNow { .. }
            | Progress::Revoked
            | Progress::SignInNeeded
            | Progress::Stopped { .. },
            _,
        ) => None,
    }
}

fn not_now_text(reason: NotNow, language: Language) -> String {
    match reason {
        NotNow::NoNetwork => pick(language, "no network", "没有网络").to_owned(),
        NotNow::WaitsForWifi => pick(language, "waiting for Wi-Fi", "等待 Wi-Fi").to_owned(),
        NotNow::ServerWish { until } => {
            format!("{} {until}", pick(language, "the server wants to be left alone until", "服务器要求等到"))
        }
    }
}

pub(super) fn listen_text(progress: &ListenProgress, language: Language) -> Option<String> {
    match progress {
        ListenProgress::Connected => Some(pick(language, "listening", "监听中").to_owned()),
        ListenProgress::WillRetry { reason, at } => {
            progress_text(&Progress::WillRetry { reason: reason.clone(), at: *at }, language)
        }
        ListenProgress::NotNow { reason } => Some(not_now_text(*reason, language)),
        // What it brought is printed.
        ListenProgress::Synced { .. } => None,
    }
}

pub(super) fn order_change_text(change: &OrderChange, language: Language) -> String {
    match change {
        OrderChange::Shown { order } => orders_text(std::slice::from_ref(order), language).trim_end().to_owned(),
        OrderChange::Gone { id } => format!("{id} {}", pick(language, "is gone from this phone", "已从本机移除")),
    }
}
