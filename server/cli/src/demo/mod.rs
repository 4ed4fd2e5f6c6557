//! `callout demo`: the whole story with real parts, and the proof that nothing was lost.
//!
//! A server on an embedded database in a temporary folder, real HTTP on loopback, three phones (two through the SDK, one a process
//! of its own that is killed), networks that break, desks that do their work. What does not belong here: anything that a test or a
//! server would need; the demo uses what they use.

mod child_phone;
mod customer;
mod house;
mod material;
mod phones;
mod progress;
pub mod proxy;
mod reckoning;
mod report;
mod story;
mod table;
mod time_zone;

use crate::arguments::DemoArguments;
use crate::server::EndSignals;
use crate::{CommandError, CommandResult, logging};
use callout_sync_protocol::time::Timestamp;
use house::{House, desk_failed};
use material::Material;
use progress::Progress;
use report::Report;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use story::{Story, Told};
use time::OffsetDateTime;

fn now() -> Timestamp {
    Timestamp::from(OffsetDateTime::now_utc())
}

/// Plays the demo.
///
/// # Errors
/// When anything of it does not hold.
pub fn run(arguments: DemoArguments) -> CommandResult {
    // The story's refused requests are part of it; only faults are worth a line.
    logging::start(arguments.json, "error");
    let progress = Progress::new(arguments.json);
    let folder = tempfile::Builder::new()
        .prefix("callout-demo-")
        .tempdir()
        .map_err(|error| CommandError::because("a temporary folder", &error))?;
    let ending = Ending::watch(folder.path())?;
    let utc_offset_minutes = time_zone::utc_offset_choose(now());
    progress.act("The house opens", "系统启动");
    let house = House::open(&folder.path().join("server"), utc_offset_minutes, &progress)?;
    let report = play(&arguments, &progress, &house, folder.path(), utc_offset_minutes)?;
    if arguments.json {
        println!("{}", report.json());
    }
    progress.text(&report.text());
    if !report.holds() {
        return Err(CommandError::new("the demo did not hold"));
    }
    if arguments.serve {
        progress.text(&leave_running(&house));
        ending.wait();
    }
    house.close()
}

/// What a signal to end means: in the middle of the story, that all of it goes at once; behind it, that `--serve` is over.
struct Ending {
    is_playing: Arc<AtomicBool>,
    told: mpsc::Receiver<()>,
}

impl Ending {
    fn watch(folder: &Path) -> CommandResult<Self> {
        let signals = EndSignals::catch()?;
        let is_playing = Arc::new(AtomicBool::new(true));
        let (tell, told) = mpsc::channel();
        let (watched, folder) = (Arc::clone(&is_playing), folder.to_owned());
        thread::spawn(move || {
            let is_told = signals.wait().is_ok();
            if is_told && watched.load(Ordering::SeqCst) {
                // Whatever a phone still writes there, the system's own cleaning of temporary files takes.
                let _ = std::fs::remove_dir_all(&folder);
                std::process::exit(EXIT_INTERRUPTED);
            }
            // Nobody waits any more if the demo has ended meanwhile.
            let _ = tell.send(());
        });
        Ok(Self { is_playing, told })
    }

    fn wait(self) {
        self.is_playing.store(false, Ordering::SeqCst);
        // The sender cannot go before it has sent.
        let _ = self.told.recv();
    }
}

/// As shells report a program that SIGINT ended: 128 and the signal's number.
const EXIT_INTERRUPTED: i32 = 130;

fn play(
    arguments: &DemoArguments,
    progress: &Progress,
    house: &House,
    folder: &Path,
    utc_offset_minutes: i16,
) -> CommandResult<Report> {
    let material = Material::new(folder, arguments.seed, arguments.walk.as_deref(), now(), utc_offset_minutes)?;
    let told: Told = Story { progress, house, material: &material, folder, now }.tell()?;
    progress.act("The count", "核对");
    let reckoning = reckoning::reckon(&house.lead, told.acknowledged, &told.captured)?;
    let test = house
        .lead
        .field_test_list(told.main_order)
        .map_err(desk_failed)?
        .into_iter()
        .find(|test| test.standing == "accepted")
        .ok_or_else(|| CommandError::new("the main order has no test that counts"))?;
    Ok(Report {
        seed: arguments.seed,
        reckoning,
        test,
        timeline: house.lead.work_order_timeline(told.main_order).map_err(desk_failed)?,
        orders: house.lead.work_order_list().map_err(desk_failed)?,
        tracking_tickets: house.lead.tracking_ticket_list().map_err(desk_failed)?.len(),
        told,
        duration_ms: progress.elapsed_ms(),
    })
}

fn leave_running(house: &House) -> String {
    let mut accounts = table::Table::new(&["user 用户", "role 角色", "password 口令"]);
    for account in &house.accounts {
        accounts.row(vec![account.user_name.clone(), account.role.to_owned(), account.password.clone()]);
    }
    format!(
        "\nStill running at http://{} until Ctrl-C; its data goes with it.\n服务保持运行，按 Ctrl-C 结束，数据随之清除。\n\n{}",
        house.address(),
        accounts.text()
    )
}
