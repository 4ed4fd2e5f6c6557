//! How the demo ends: figures per operator, the order's timeline, the counts, and one JSON object for machines.

use super::reckoning::Reckoning;
use super::story::Told;
use super::table::Table;
use crate::desk::{FieldTest, OperatorKpi, TimelineEntry, WorkOrder};
use callout_sync_protocol::operators::Operator;
use serde_json::{Value, json};

/// What is reported.
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The counts.
    pub reckoning: Reckoning,
    /// What the story left.
    pub told: Told,
    /// The long story's test.
    pub test: FieldTest,
    /// What happened to its order.
    pub timeline: Vec<TimelineEntry>,
    /// All orders.
    pub orders: Vec<WorkOrder>,
    /// How many tracking tickets there are.
    pub tracking_tickets: usize,
    /// How long it took.
    pub duration_ms: u64,
}

fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    (value * factor).round() / factor
}

/// A figure of an operator, by its path in the API's JSON.
fn figure(operator: &OperatorKpi, path: &str) -> Option<f64> {
    operator.kpi.pointer(path).and_then(Value::as_f64)
}

fn shown(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}{unit}"))
}

impl Report {
    /// Nothing lost, nothing twice, everything there.
    pub fn holds(&self) -> bool {
        let counts = &self.reckoning;
        counts.lost == 0 && counts.duplicated == 0 && counts.captured > 0 && counts.captured == counts.received
    }

    /// Bytes that the counted phones sent to the sync endpoint in requests that were answered, for each of their samples: HTTP's own
    /// bytes, commands and findings included.
    pub fn wire_bytes_per_sample(&self) -> f64 {
        per(self.told.sync_bytes.answered, self.told.metered_samples)
    }

    /// The same, with what the broken network carried in vain.
    pub fn wire_bytes_per_sample_with_faults(&self) -> f64 {
        per(self.told.sync_bytes.answered + self.told.sync_bytes.in_vain, self.told.metered_samples)
    }

    /// Bytes of the sealed blocks alone.
    pub fn sealed_bytes_per_sample(&self) -> f64 {
        per(self.reckoning.block_bytes, self.reckoning.received)
    }

    /// One object for machines.
    pub fn json(&self) -> Value {
        let counts = &self.reckoning;
        json!({
            "captured_samples": counts.captured,
            "received_samples": counts.received,
            "lost": counts.lost,
            "duplicated": counts.duplicated,
            "quarantined_samples": counts.quarantined,
            "wire_bytes_per_sample": rounded(self.wire_bytes_per_sample(), 3),
            "wire_bytes_per_sample_with_faults": rounded(self.wire_bytes_per_sample_with_faults(), 3),
            "sealed_bytes_per_sample": rounded(self.sealed_bytes_per_sample(), 3),
            "photos": counts.photos,
            "photo_bytes": counts.photo_bytes,
            "orders": self.orders.len(),
            "tracking_tickets": self.tracking_tickets,
            "network_cuts": self.told.network_cuts,
            "samples_safe_at_kill": self.told.safe_at_kill,
            "audit_events_of_main_order": self.timeline.len(),
            "duration_ms": self.duration_ms,
            "seed": self.seed,
            "operators": self.test.operators.iter().map(|operator| json!({
                "operator": operator.operator,
                "samples": figure(operator, "/total/samples"),
                "coverage_rate": figure(operator, "/total/coverage_rate"),
                "level_p50_dbm": figure(operator, "/total/level_dbm/p50"),
                "sinr_p50_db": figure(operator, "/total/sinr_db/p50"),
                "rtt_p50_ms": figure(operator, "/total/rtt_ms/p50"),
            })).collect::<Vec<_>>(),
            "ok": self.holds(),
        })
    }

    /// The end for people.
    pub fn text(&self) -> String {
        let counts = &self.reckoning;
        let mut counted = Table::new(&["", ""]);
        for (name, value) in [
            ("captured 采集样本", counts.captured.to_string()),
            ("received 服务端收到", counts.received.to_string()),
            ("lost 丢失", counts.lost.to_string()),
            ("duplicated 重复", counts.duplicated.to_string()),
            ("of these in quarantine 其中隔离保存", counts.quarantined.to_string()),
            ("photos 照片", format!("{} ({} KB)", counts.photos, counts.photo_bytes / 1_000)),
            ("orders 工单", self.orders.len().to_string()),
            ("tracking tickets 跟踪单", self.tracking_tickets.to_string()),
            ("bytes per sample on the wire 每样本传输字节", format!("{:.2}", self.wire_bytes_per_sample())),
            (
                "with what broken networks carried in vain 含断网重传",
                format!("{:.2}", self.wire_bytes_per_sample_with_faults()),
            ),
            ("bytes per sample in sealed blocks 每样本数据块字节", format!("{:.2}", self.sealed_bytes_per_sample())),
            ("seconds 用时（秒）", format!("{:.1}", self.duration_ms as f64 / 1_000.0)),
        ] {
            counted.row(vec![name.to_owned(), value]);
        }
        let rows: Vec<String> = counted.text().lines().skip(2).map(str::to_owned).collect();
        format!(
            "\nThree operators at the complaint's place 三网对比\n{}\nWhat happened to the order 工单时间线\n{}\nThe count 核对\n{}\n\n{}",
            self.operators_table().text(),
            self.timeline_table().text(),
            rows.join("\n"),
            if self.holds() { "All of it held. 全部成立。" } else { "IT DID NOT HOLD. 校验未通过。" }
        )
    }

    fn operators_table(&self) -> Table {
        let mut table = Table::new(&[
            "operator 运营商",
            "samples 样本",
            "coverage 覆盖率",
            "level p50 电平",
            "SINR p50",
            "RTT p50 时延",
        ]);
        for operator in &self.test.operators {
            let name = operator.operator.parse::<Operator>().map_or("", Operator::name_zh);
            let rate = figure(operator, "/total/coverage_rate").map(|rate| 100.0 * rate);
            table.row(vec![
                format!("{} {name}", operator.operator),
                figure(operator, "/total/samples").map_or_else(|| "–".into(), |samples| format!("{samples:.0}")),
                shown(rate, " %"),
                shown(figure(operator, "/total/level_dbm/p50"), " dBm"),
                shown(figure(operator, "/total/sinr_db/p50"), " dB"),
                shown(figure(operator, "/total/rtt_ms/p50"), " ms"),
            ]);
        }
        table
    }

    fn timeline_table(&self) -> Table {
        let mut table = Table::new(&["when (UTC) 时间", "who 角色", "what 事件"]);
        for entry in &self.timeline {
            // The clock's part of an RFC 3339 instant, to the millisecond.
            let time = entry.happened_at.get(11..23).unwrap_or(&entry.happened_at);
            let who =
                if entry.actor_roles.is_empty() { "(customer or system 客户/系统)" } else { &entry.actor_roles };
            table.row(vec![time.to_owned(), who.to_owned(), entry.action.clone()]);
        }
        table
    }
}

fn per(bytes: u64, samples: u64) -> f64 {
    if samples == 0 { 0.0 } else { bytes as f64 / samples as f64 }
}
