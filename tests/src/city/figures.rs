//! What a half-year came to, in both languages: the server's own report, and what the driver counted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::office::json_of;
use super::stories::City;
use super::{CityReport, CitySetting, checks, first_morning};
use callout_storage::Page;
use callout_storage::RegionScope;
use callout_storage::work_orders::WorkOrderFilter;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// What was done, by name.
    pub counts: BTreeMap<String, u64>,
    /// What was refused, by name and problem.
    pub refused: BTreeMap<String, u64>,
    /// Orders by state.
    pub states: BTreeMap<String, u64>,
    /// Orders that were reopened, and false returns counted.
    pub reopened: (u64, u64),
    /// Scores of revisits.
    pub scores: Vec<u64>,
    /// Hours from an order's opening to its resolution.
    pub handling_hours: Vec<f64>,
    /// Visits with the real phone core, and with light phones.
    pub syncs: (u64, u64),
    /// The server's report by region.
    pub report: Value,
    /// The causes of overdue orders.
    pub causes: Value,
    /// Warnings, of all states.
    pub warnings: u64,
    /// Entries that the supervision list ever had.
    pub supervised: u64,
}

impl Figures {
    /// Reads what a city came to.
    ///
    /// # Errors
    /// When the server does not answer a report.
    pub fn read(city: &mut City, setting: &CitySetting) -> Result<Self, String> {
        let mut figures = Self {
            counts: city.counts.clone(),
            refused: city.refused.clone(),
            syncs: (city.full_syncs, city.light_syncs),
            ..Self::default()
        };
        let filter = WorkOrderFilter::of(RegionScope::All);
        let mut page = Page::first(500);
        loop {
            let part = city.office.look(|tx| tx.work_order_list(&filter, &page));
            let Some((last, _)) = part.last() else { break };
            page.after = Some((last.created_at, last.id));
            for (order, _) in &part {
                *figures.states.entry(order.state.to_string()).or_default() += 1;
                figures.reopened.0 += u64::from(order.reopened_count > 0);
                figures.reopened.1 += u64::from(order.false_return_count);
                if order.state == WorkOrderState::Resolved {
                    figures.handling_hours.push(order.updated_at.micros_since(order.created_at) as f64 / 3.6e9);
                }
                let revisits = city.office.look(|tx| tx.revisit_list_by_work_order(order.id));
                figures.scores.extend(revisits.iter().filter_map(|revisit| u64::try_from(revisit.score?).ok()));
            }
        }
        figures.handling_hours.sort_by(f64::total_cmp);
        let day = |days: u64| {
            let at = first_morning().plus_seconds(i64::try_from(days).unwrap_or(0) * 86_400 + 12 * 3_600);
            at.to_string().chars().take(10).collect::<String>()
        };
        let range = format!("from={}&until={}", day(0), day(setting.days + 8));
        let mut read = |path: &str| -> Result<Value, String> {
            let response = city.office.ask("quality-all", "GET", path, &Value::Null);
            match response.is_success() {
                true => Ok(json_of(&response)),
                false => Err(format!("{path} was answered with {} {}", response.status, json_of(&response))),
            }
        };
        figures.report = read(&format!("/v1/kpis?{range}&group_by=region"))?;
        figures.causes = read(&format!("/v1/kpis/overdue-causes?{range}"))?;
        let count = |list: Value| list["items"].as_array().map_or(0, Vec::len) as u64;
        figures.warnings = count(read("/v1/warnings?limit=500")?);
        figures.supervised = count(read("/v1/supervision-entries?limit=500")?);
        Ok(figures)
    }

    fn mean(values: &[f64]) -> f64 {
        if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// The report as text, Chinese and English line by line.
pub fn rendered(setting: &CitySetting, report: &CityReport) -> String {
    let figures = &report.figures;
    let mut out = String::new();
    let line = |out: &mut String, zh: &str, en: &str, value: String| {
        writeln!(out, "  {zh} / {en}: {value}").unwrap();
    };
    let count = |name: &str| figures.counts.get(name).copied().unwrap_or(0);
    writeln!(out, "\n城市半年运行报告 · Half a year of a city (seed {}, {} days)", setting.seed, setting.days).unwrap();
    line(&mut out, "投诉", "complaints", count("complaint").to_string());
    let named = |prefix: &str| {
        let list =
            figures.counts.iter().filter_map(|(name, count)| Some(format!("{} {count}", name.strip_prefix(prefix)?)));
        list.collect::<Vec<_>>().join(", ")
    };
    line(&mut out, "渠道", "channels", named("channel "));
    line(&mut out, "类别", "classes", named("class "));
    let states = figures.states.iter().map(|(state, count)| format!("{state} {count}")).collect::<Vec<_>>().join(", ");
    line(&mut out, "工单状态", "orders", states);
    let confirmed = count("confirmed by link") + count("confirmed by telephone");
    let denied = count("denied by link") + count("denied by telephone");
    line(
        &mut out,
        "上门测试",
        "visits",
        format!(
            "{} ({} full phones 完整终端, {} light phones 轻量终端)",
            count("visit"),
            figures.syncs.0,
            figures.syncs.1
        ),
    );
    line(&mut out, "回访确认/否认", "revisits confirmed/denied", format!("{confirmed} / {denied}"));
    line(
        &mut out,
        "虚假回单率",
        "false-return rate",
        format!("{:.1} %", percent(figures.reopened.1, confirmed + denied)),
    );
    let scores: Vec<f64> = figures.scores.iter().map(|score| *score as f64).collect();
    let promoters = figures.scores.iter().filter(|score| **score >= 9).count() as u64;
    let detractors = figures.scores.iter().filter(|score| **score <= 6).count() as u64;
    let all = scores.len() as u64;
    line(
        &mut out,
        "回访均分/NPS",
        "revisit score mean / NPS",
        format!("{:.2} / {:.0}", Figures::mean(&scores), percent(promoters, all) - percent(detractors, all)),
    );
    let hours = &figures.handling_hours;
    let p90 = hours.get(hours.len().saturating_sub(1) * 9 / 10).copied().unwrap_or(0.0);
    line(
        &mut out,
        "处理时长均值/P90",
        "hours from order to end, mean / p90",
        format!("{:.1} / {p90:.1}", Figures::mean(hours)),
    );
    line(&mut out, "跟踪单", "returned unresolved", count("unresolved").to_string());
    line(&mut out, "建站需求", "build demands", report.build_demands.to_string());
    let warnings = format!("{} ({} published 已发布)", figures.warnings, count("warning_published"));
    line(&mut out, "预警", "early warnings", warnings);
    line(&mut out, "督办", "supervision list", figures.supervised.to_string());
    writeln!(out, "\nKPI 按区域 / by region").unwrap();
    for row in figures.report["items"].as_array().into_iter().flatten().chain([&figures.report["total"]]) {
        let name = match row["name"].as_str() {
            None => "合计 total",
            Some("") => "尚未定位 no place yet",
            Some(name) => name,
        };
        let fields: Vec<String> = row
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, value)| !matches!(key.as_str(), "key" | "name") && !value.is_null())
            .map(|(key, value)| match value.as_f64() {
                Some(number) if value.is_f64() => format!("{key} {number:.3}"),
                _ => format!("{key} {value}"),
            })
            .collect();
        writeln!(out, "  {name}: {}", fields.join(", ")).unwrap();
    }
    let list = figures.causes["items"].as_array().into_iter().flatten();
    let list: Vec<String> = list
        .map(|row| {
            format!(
                "{} {} ({:.1} %)",
                row["cause"].as_str().unwrap_or("?"),
                row["count"],
                row["share"].as_f64().unwrap_or(0.0) * 100.0
            )
        })
        .collect();
    writeln!(
        out,
        "\n超时原因 / causes of overdue orders: {}",
        if list.is_empty() { "—".to_owned() } else { list.join(", ") }
    )
    .unwrap();
    if !figures.refused.is_empty() {
        let refused: Vec<String> = figures.refused.iter().map(|(what, count)| format!("{what} {count}")).collect();
        writeln!(out, "\n系统拒绝 / refused by the rules: {}", refused.join(", ")).unwrap();
    }
    writeln!(out, "\n已校验的不变量 / what was checked, and held:").unwrap();
    for (en, zh) in checks::INVARIANTS {
        writeln!(out, "  ✓ {zh} / {en}").unwrap();
    }
    writeln!(
        out,
        "\n{} orders, {} events ({} anchored), {} requests in {:.1} s 工单 {}、审计事件 {}（已锚定 {}）、请求 {}",
        report.orders,
        report.events.0,
        report.events.1,
        report.requests,
        report.seconds,
        report.orders,
        report.events.0,
        report.events.1,
        report.requests,
    )
    .unwrap();
    out
}
