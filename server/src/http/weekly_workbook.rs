//! The weekly report as a workbook: one sheet a question of the meeting. What does not belong here: where the figures come from.

use crate::app::error::{AppError, AppResult};
use crate::app::kpis::KpiReport;
use crate::app::weekly_reports::WeeklyReport;
use crate::workflow::kpis::KpiFigures;
use crate::workflow::supervision::{SitePlan, SupervisionReason};
use crate::workflow::warnings::{WarningLevel, WarningState};
use callout_storage::complaints::ComplaintClass;
use callout_sync_protocol::ids::RegionId;
use callout_sync_protocol::time::Timestamp;
use rust_xlsxwriter::{
    Chart, ChartType, DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError,
};

/// A value of a cell.
enum Cell {
    Text(String),
    Count(i64),
    Share(Option<f64>),
    Number(Option<f64>),
}

/// How values look.
struct Looks {
    is_chinese: bool,
    title: Format,
    head: Format,
    share: Format,
    number: Format,
}

impl Looks {
    fn say(&self, zh: &str, en: &str) -> String {
        if self.is_chinese { zh.to_owned() } else { en.to_owned() }
    }
}

/// A sheet of figures: its name in both languages, the head of its first column, the figures, and what names a key in Chinese.
type FigureSheet<'a> =
    (&'static str, &'static str, (&'static str, &'static str), Option<&'a KpiReport>, fn(&str) -> Option<&'static str>);

/// A column of figures: its head in both languages, and its value.
type Column = ((&'static str, &'static str), fn(&KpiFigures) -> Cell);

const COLUMNS: [Column; 15] = [
    (("受理量", "Received"), |f| Cell::Count(f.received)),
    (("24小时首响率", "First response in 24 h"), |f| Cell::Share(f.first_response_rate)),
    (("重复投诉率", "Repeat rate"), |f| Cell::Share(f.repeat_rate)),
    (("办结量", "Closed"), |f| Cell::Count(f.closed)),
    (("及时率", "Timeliness rate"), |f| Cell::Share(f.timeliness_rate)),
    (("平均处理时长（小时）", "Mean handling time (h)"), |f| Cell::Number(f.handling_hours_mean)),
    (("P90处理时长（小时）", "P90 handling time (h)"), |f| Cell::Number(f.handling_hours_p90)),
    (("上门量", "Visited"), |f| Cell::Count(f.visited)),
    (("一次上门解决率", "First-visit solve rate"), |f| Cell::Share(f.first_visit_solve_rate)),
    (("回单量", "Returns"), |f| Cell::Count(f.returns)),
    (("虚假回单率", "False-return rate"), |f| Cell::Share(f.false_return_rate)),
    (("评分量", "Scores"), |f| Cell::Count(f.scores)),
    (("平均评分", "Mean score"), |f| Cell::Number(f.score_mean)),
    (("NPS", "NPS"), |f| Cell::Number(f.nps)),
    (("超时量", "Overdue"), |f| Cell::Count(f.overdue)),
];

fn write(sheet: &mut Worksheet, looks: &Looks, row: u32, column: u16, cell: &Cell) -> Result<(), XlsxError> {
    match cell {
        Cell::Text(text) => sheet.write(row, column, text.as_str())?,
        // Excel counts in doubles; a count beyond 2^53 is not to be feared.
        Cell::Count(count) => sheet.write(row, column, *count as f64)?,
        Cell::Share(Some(share)) => sheet.write_with_format(row, column, *share, &looks.share)?,
        Cell::Number(Some(number)) => sheet.write_with_format(row, column, *number, &looks.number)?,
        // Nothing to divide by.
        Cell::Share(None) | Cell::Number(None) => sheet.write(row, column, "—")?,
    };
    Ok(())
}

/// A sheet with a title, heads and rows.
fn table(
    book: &mut Workbook,
    looks: &Looks,
    name: &str,
    heads: &[String],
    rows: &[Vec<Cell>],
) -> Result<(), XlsxError> {
    let sheet = book.add_worksheet();
    sheet.set_name(name)?.set_landscape();
    for (column, head) in (0u16..).zip(heads) {
        sheet.write_with_format(0, column, head.as_str(), &looks.head)?;
        sheet.set_column_width(column, if column == 0 { 24.0 } else { 16.0 })?;
    }
    sheet.set_freeze_panes(1, 1)?;
    for (row, cells) in (1u32..).zip(rows) {
        for (column, cell) in (0u16..).zip(cells) {
            write(sheet, looks, row, column, cell)?;
        }
    }
    Ok(())
}

fn figure_heads(looks: &Looks, first: (&str, &str)) -> Vec<String> {
    std::iter::once(looks.say(first.0, first.1)).chain(COLUMNS.iter().map(|((zh, en), _)| looks.say(zh, en))).collect()
}

fn figure_row(name: String, figures: &KpiFigures) -> Vec<Cell> {
    std::iter::once(Cell::Text(name)).chain(COLUMNS.iter().map(|(_, value)| value(figures))).collect()
}

fn figure_rows(
    looks: &Looks,
    report: &KpiReport,
    unnamed: (&str, &str),
    name_of: fn(&str) -> Option<&'static str>,
) -> Vec<Vec<Cell>> {
    let name = |key: &str, name: &str| match (looks.is_chinese.then(|| name_of(key)).flatten(), name, key) {
        (Some(name), _, _) => name.to_owned(),
        (None, "", "") => looks.say(unnamed.0, unnamed.1),
        (None, "", key) => key.to_owned(),
        (None, name, _) if looks.is_chinese || name_of(key).is_none() => name.to_owned(),
        (None, _, key) => key.to_owned(),
    };
    let mut rows: Vec<Vec<Cell>> =
        report.rows.iter().map(|row| figure_row(name(&row.key, &row.name), &row.figures)).collect();
    rows.push(figure_row(looks.say("合计", "Total"), &report.total));
    rows
}

fn summary(book: &mut Workbook, looks: &Looks, report: &WeeklyReport) -> Result<(), XlsxError> {
    let sheet = book.add_worksheet();
    sheet.set_name(looks.say("汇总", "Summary"))?;
    sheet.set_column_width(0, 30.0)?.set_column_width(1, 18.0)?;
    let title = looks.say("网络投诉周报", "Network complaints, the week");
    sheet.write_with_format(0, 0, title.as_str(), &looks.title)?;
    sheet.write(1, 0, format!("{} – {}", report.from, report.until))?;
    let mut row = 3;
    for ((zh, en), value) in &COLUMNS {
        sheet.write(row, 0, looks.say(zh, en))?;
        write(sheet, looks, row, 1, &value(&report.regions.total))?;
        row += 1;
    }
    let flagged = report.sites_down.iter().filter(|down| down.is_flagged).count();
    for (zh, en, count) in [
        ("督办中", "On the supervision list", report.supervised.len()),
        ("断站超时", "Sites down too long", flagged),
        ("投诉聚集区内的规划与搬迁", "Plans inside crowds of complaints", report.plans.len()),
        ("投诉预警", "Early warnings", report.warnings.len()),
    ] {
        sheet.write(row, 0, looks.say(zh, en))?;
        sheet.write(row, 1, count as f64)?;
        row += 1;
    }
    if report.regions.pending_changes > 0 {
        let note = looks.say("尚有变更未计入：", "Changes not counted yet: ");
        sheet.write(row + 1, 0, format!("{note}{}", report.regions.pending_changes))?;
    }
    Ok(())
}

fn causes(book: &mut Workbook, looks: &Looks, report: &WeeklyReport) -> Result<(), XlsxError> {
    let name = looks.say("超时原因", "Overdue causes");
    let heads = [("原因", "Cause"), ("件数", "Orders"), ("占比", "Share"), ("累计占比", "Cumulative share")]
        .map(|(zh, en)| looks.say(zh, en));
    let rows: Vec<Vec<Cell>> = report
        .causes
        .iter()
        .map(|entry| {
            let cause = if entry.cause.is_empty() { looks.say("未填写", "not named") } else { entry.cause.clone() };
            vec![
                Cell::Text(cause),
                Cell::Count(i64::try_from(entry.count).unwrap_or(i64::MAX)),
                Cell::Share(Some(entry.share)),
                Cell::Share(Some(entry.cumulative_share)),
            ]
        })
        .collect();
    table(book, looks, &name, &heads, &rows)?;
    let Some(last) = u32::try_from(rows.len()).ok().filter(|last| *last > 0) else { return Ok(()) };
    let sheet = book.worksheet_from_name(&name)?;
    let mut columns = Chart::new(ChartType::Column);
    columns.add_series().set_name((name.as_str(), 0, 1)).set_categories((name.as_str(), 1, 0, last, 0)).set_values((
        name.as_str(),
        1,
        1,
        last,
        1,
    ));
    let mut line = Chart::new(ChartType::Line);
    line.add_series()
        .set_name((name.as_str(), 0, 3))
        .set_categories((name.as_str(), 1, 0, last, 0))
        .set_values((name.as_str(), 1, 3, last, 3))
        .set_secondary_axis(true);
    columns.combine(&line);
    columns.title().set_name(looks.say("超时原因帕累托图", "Pareto of overdue causes").as_str());
    line.y2_axis().set_num_format("0%").set_max(1.0);
    sheet.insert_chart(1, 5, &columns)?;
    Ok(())
}

fn local(at: Timestamp) -> Cell {
    // Minutes are enough for a meeting; the zone is China's, as the sheet's head says.
    let text = at.plus_seconds(8 * 3_600).to_string();
    Cell::Text(text.chars().take(16).collect::<String>().replace('T', " "))
}

fn region_name(report: &WeeklyReport, id: RegionId) -> Cell {
    Cell::Text(report.region_names.get(&id).cloned().unwrap_or_else(|| id.to_string()))
}

/// A word of the rules in the reader's language.
macro_rules! word {
    ($looks:expr, $kind:ty, $word:expr) => {
        Cell::Text(match $word.parse::<$kind>() {
            Ok(value) if $looks.is_chinese => value.name_zh().to_owned(),
            _ => $word.replace('_', " "),
        })
    };
}

fn supervised(book: &mut Workbook, looks: &Looks, report: &WeeklyReport) -> Result<(), XlsxError> {
    let heads = [
        ("区域", "Region"),
        ("原因", "Reason"),
        ("基站", "Site"),
        ("投诉量", "Complaints"),
        ("问题仍在", "Still stands"),
        ("列入时间（北京时间）", "Listed (UTC+8)"),
    ]
    .map(|(zh, en)| looks.say(zh, en));
    let rows: Vec<Vec<Cell>> = report
        .supervised
        .iter()
        .map(|(entry, site)| {
            let stands = if entry.is_cause_standing { looks.say("是", "yes") } else { looks.say("否", "no") };
            let site = site.as_ref().map_or_else(String::new, |site| format!("{} {}", site.code, site.name));
            vec![
                region_name(report, entry.region_id),
                word!(looks, SupervisionReason, entry.reason),
                Cell::Text(site),
                Cell::Count(i64::from(entry.complaint_count)),
                Cell::Text(stands),
                local(entry.listed_at),
            ]
        })
        .collect();
    table(book, looks, &looks.say("三超督办", "Supervision list"), &heads, &rows)
}

fn sites(book: &mut Workbook, looks: &Looks, report: &WeeklyReport) -> Result<(), XlsxError> {
    let heads = [
        ("基站", "Site"),
        ("编码", "Code"),
        ("重点站", "Key site"),
        ("断站小时", "Hours down"),
        ("投诉量", "Complaints"),
        ("超过时限", "Too long"),
        ("规划", "Plan"),
    ]
    .map(|(zh, en)| looks.say(zh, en));
    let yes_no = |yes: bool| Cell::Text(if yes { looks.say("是", "yes") } else { looks.say("否", "no") });
    let down = report.sites_down.iter().map(|down| {
        vec![
            Cell::Text(down.site.name.clone()),
            Cell::Text(down.site.code.clone()),
            yes_no(down.site.is_key),
            Cell::Count(down.down_hours),
            Cell::Count(i64::from(down.complaints)),
            yes_no(down.is_flagged),
            word!(looks, SitePlan, down.site.plan),
        ]
    });
    let plans = report.plans.iter().map(|plan| {
        vec![
            Cell::Text(plan.site.name.clone()),
            Cell::Text(plan.site.code.clone()),
            yes_no(plan.site.is_key),
            Cell::Text("—".into()),
            Cell::Count(i64::from(plan.cluster.complaint_count)),
            Cell::Text("—".into()),
            word!(looks, SitePlan, plan.site.plan),
        ]
    });
    let rows: Vec<Vec<Cell>> = down.chain(plans).collect();
    table(book, looks, &looks.say("断站与规划", "Sites"), &heads, &rows)
}

fn warnings(book: &mut Workbook, looks: &Looks, report: &WeeklyReport) -> Result<(), XlsxError> {
    let heads = [
        ("区域", "Region"),
        ("投诉类型", "Complaint type"),
        ("级别", "Level"),
        ("状态", "State"),
        ("投诉量", "Complaints"),
        ("峰值", "Peak"),
        ("基线", "Base"),
        ("生成时间（北京时间）", "Raised (UTC+8)"),
    ]
    .map(|(zh, en)| looks.say(zh, en));
    let rows: Vec<Vec<Cell>> = report
        .warnings
        .iter()
        .map(|warning| {
            let symptom = warning.symptom;
            let symptom =
                if looks.is_chinese { symptom.name_zh().to_owned() } else { symptom.as_str().replace('_', " ") };
            vec![
                region_name(report, warning.region_id),
                Cell::Text(symptom),
                word!(looks, WarningLevel, warning.level),
                word!(looks, WarningState, warning.state),
                Cell::Count(i64::from(warning.complaint_count)),
                Cell::Count(i64::from(warning.peak_count)),
                Cell::Number(Some(warning.base_thousandths as f64 / 1_000.0)),
                local(warning.raised_at),
            ]
        })
        .collect();
    table(book, looks, &looks.say("投诉预警", "Early warnings"), &heads, &rows)
}

fn built(report: &WeeklyReport, is_chinese: bool) -> Result<Vec<u8>, XlsxError> {
    let looks = Looks {
        is_chinese,
        title: Format::new().set_bold().set_font_size(14),
        head: Format::new().set_bold().set_text_wrap().set_align(FormatAlign::Top),
        share: Format::new().set_num_format("0.0%"),
        number: Format::new().set_num_format("0.0"),
    };
    let mut book = Workbook::new();
    let made_at = ExcelDateTime::from_timestamp(report.made_at.unix_millis() / 1_000)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&made_at));
    summary(&mut book, &looks, report)?;
    let plain = |_: &str| None;
    let class = |key: &str| key.parse::<ComplaintClass>().ok().map(ComplaintClass::name_zh);
    let nobody = ("未归属", "unassigned");
    let sheets: [FigureSheet<'_>; 5] = [
        ("分周", "By week", ("周", "Week from"), Some(&report.weeks), plain),
        ("分区域", "By region", ("区域", "Region"), Some(&report.regions), plain),
        ("分班组", "By team", ("班组", "Team"), Some(&report.teams), plain),
        ("分人员", "By person", ("人员", "Person"), report.persons.as_ref(), plain),
        ("分类别", "By class", ("类别", "Class"), Some(&report.classes), class),
    ];
    for (zh, en, first, figures, name_of) in sheets {
        let Some(figures) = figures else { continue };
        let rows = figure_rows(&looks, figures, nobody, name_of);
        table(&mut book, &looks, &looks.say(zh, en), &figure_heads(&looks, first), &rows)?;
    }
    causes(&mut book, &looks, report)?;
    supervised(&mut book, &looks, report)?;
    sites(&mut book, &looks, report)?;
    warnings(&mut book, &looks, report)?;
    book.save_to_buffer()
}

/// The workbook's bytes.
///
/// # Errors
/// When the figures do not fit into a workbook.
pub fn workbook(report: &WeeklyReport, is_chinese: bool) -> AppResult<Vec<u8>> {
    built(report, is_chinese).map_err(AppError::internal)
}
