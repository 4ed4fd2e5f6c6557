//! One visit (enrolment, orders, capture, photo, hand-in), with something that ends at each of its steps in turn; then it goes on.
//!
//! What must hold is what holds everywhere (`checks`): what the phone told its tester is there after the cut, and when the visit is done
//! the server has everything, once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::chance::Dice;
use super::house::{Failures, House};
use super::{Database, Setting};
use crate::medium::Survival;
use callout_mobile_sdk::store::StoreKey;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// So many visits share a world, so that checks stay short.
const VISITS_A_WORLD: u64 = 12;
/// Beginnings of a visit that one cut may cost.
const TRIES: u32 = 8;

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The phone's power, before the step of its storage takes effect.
    PhonePower,
    /// The same, while the store does not sync what it writes: something is lost then, and must be noticed.
    PhonePowerUnsynced,
    /// The room on the phone, from that step on until the tester makes some.
    PhoneRoom,
    /// The power of the server's machine, before the step of its database or photo folder takes effect.
    ServerPower,
    /// The server's process, at its so many-th wait.
    ServerProcess,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cuts {
    /// Visits, each with its cut.
    pub visits: u64,
    /// The last step of a visit at which there was something to cut.
    pub last_step: u64,
    /// What failed.
    pub failures: Failures,
}

/// Visits in which something ends at step `first` (by default one of the first `stride`, as the seed has it); then at `stride` steps
/// further, and so on until a visit is through before. A stride of 1 leaves no step out.
///
/// # Errors
/// What did not hold, and where.
pub fn cut_everywhere(cut: Cut, seed: u64, first: Option<u64>, stride: u64) -> Result<Cuts, String> {
    let mut cuts = Cuts::default();
    let mut at = first.unwrap_or_else(|| 1 + Dice::new(seed).below(stride.max(1)));
    loop {
        let from = at;
        let outcome = catch_unwind(AssertUnwindSafe(|| world(cut, seed, stride.max(1), &mut at, &mut cuts)));
        match outcome {
            Ok(Ok(true)) => return Ok(cuts),
            Ok(Ok(false)) => {}
            Ok(Err(what)) => return Err(format!("{cut:?} from step {from}, at step {at}, seed {seed}: {what}")),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                return Err(format!("{cut:?} at step {at}, seed {seed} panicked: {}", text.unwrap_or_default()));
            }
        }
    }
}

/// A plain store with a whole unsent visit gets its key, and something ends at each step of the sealing in turn, as [`cut_everywhere`]
/// has it; only for what can end on a phone.
///
/// # Errors
/// What did not hold, and where.
pub fn seal_cut_everywhere(cut: Cut, seed: u64, first: u64, stride: u64) -> Result<Cuts, String> {
    let setting = Setting { database: Database::Sqlite, phones: 0, servers: 1 };
    let mut house = House::new(seed, &setting).expect("SQLite is always there");
    let tester = house.tester_add(seed, false);
    house.order_make(tester);
    house.testers[tester].switch_on()?;
    house.tester_sign_in(tester)?;
    house.sync(tester, 0, 0, &[])?;
    house.visit_offline(tester)?;
    let status = house.testers[tester].phone().status().map_err(|error| error.to_string())?;
    let photos = house.testers[tester].photo_files();
    let image = house.testers[tester].switch_off();
    let mut cuts = Cuts::default();
    let mut at = first;
    loop {
        let this = &mut house.testers[tester];
        this.image_put(image.path(), Some(StoreKey::from_bytes([7; 32])));
        this.survive(Survival::of(seed.wrapping_add(at)));
        let before = this.cuts();
        let Some(medium) = this.medium() else { return Ok(cuts) };
        if cut == Cut::PhoneRoom {
            medium.fill_after(at)
        } else {
            medium.cut_after(at)
        }
        this.switch_on().map_err(|what| format!("{cut:?} at step {at} of the sealing, seed {seed}: {what}"))?;
        let found = this.phone().status().map_err(|error| error.to_string())?;
        let sealed: Vec<String> = photos.iter().map(|name| format!("{name}.sealed")).collect();
        if found != status || this.photo_files() != sealed {
            let photos = this.photo_files();
            return Err(format!(
                "{cut:?} at step {at} of the sealing, seed {seed}: {photos:?}, {found:?} of {status:?}"
            ));
        }
        cuts.visits += 1;
        if this.cuts() == before && !this.was_full() {
            break;
        }
        cuts.last_step = at;
        at += stride;
    }
    house.quiet()?;
    let tally = house.check_all()?;
    if tally.photos == 1 && tally.samples_accepted > 0 { Ok(cuts) } else { Err(format!("{tally:?}")) }
}

/// Some visits in one world; says whether the last one was through before its cut.
fn world(cut: Cut, seed: u64, stride: u64, at: &mut u64, cuts: &mut Cuts) -> Result<bool, String> {
    let setting = Setting { database: Database::Sqlite, phones: 0, servers: 1 };
    let mut house = House::new(seed, &setting).expect("SQLite is always there");
    let mut is_through = false;
    for _ in 0..VISITS_A_WORLD {
        let was_cut = visit(&mut house, cut, seed, *at)?;
        cuts.visits += 1;
        if !was_cut {
            is_through = true;
            break;
        }
        cuts.last_step = *at;
        *at += stride;
    }
    house.quiet()?;
    let tally = house.check_all()?;
    if tally.commands != tally.commands_accepted || tally.samples_quarantined > 0 || tally.samples_on_phones > 0 {
        return Err(format!("a visit that nothing disturbed but a cut was not taken whole: {tally:?}"));
    }
    if house.testers.iter().any(|tester| tester.told_photos.is_empty() || tester.told_samples.is_empty()) {
        return Err("a visit ended without its photo or its samples".to_owned());
    }
    cuts.failures.add(house.failures);
    Ok(is_through)
}

/// One visit with one cut; says whether it came to it.
fn visit(house: &mut House, cut: Cut, seed: u64, at: u64) -> Result<bool, String> {
    let tester = house.tester_add(seed ^ at << 16, !at.is_multiple_of(4));
    house.order_make(tester);
    // Every kind of survival at neighbouring steps, another one with another seed.
    let survival = Survival::of(seed.wrapping_add(at));
    house.testers[tester].survive(survival);
    house.testers[tester].sync_never(cut == Cut::PhonePowerUnsynced);
    let before = house.failures;
    if let Some(medium) = house.testers[tester].medium() {
        match cut {
            Cut::PhonePower | Cut::PhonePowerUnsynced => medium.cut_after(at),
            Cut::PhoneRoom => medium.fill_after(at),
            Cut::ServerPower | Cut::ServerProcess => {}
        }
    }
    match (cut, &house.ends_mut().medium) {
        (Cut::ServerPower, Some(medium)) => medium.cut_after(at),
        (Cut::ServerProcess, _) => house.ends_mut().waits = Some(at),
        _ => {}
    }
    house.testers[tester].switch_on()?;
    let mut is_signed_in = false;
    let mut is_done = false;
    for _ in 0..TRIES {
        let told_full = house.failures.phone_full;
        is_done = house.visit(tester, &mut is_signed_in)?;
        if is_done {
            break;
        }
        if house.failures.phone_full > told_full {
            // Once more without room: it must fail in the same way, and do no harm.
            is_done = house.visit(tester, &mut is_signed_in)?;
            house.testers[tester].room_make();
        }
    }
    let was_cut = match cut {
        Cut::PhonePower | Cut::PhonePowerUnsynced => house.testers[tester].cuts() > 0,
        Cut::PhoneRoom => house.testers[tester].was_full(),
        Cut::ServerPower | Cut::ServerProcess => house.failures != before,
    };
    house.testers[tester].medium().inspect(|medium| {
        medium.cut_never();
        medium.make_room();
    });
    let ends = house.ends_mut();
    ends.waits = None;
    ends.medium.iter().for_each(|medium| medium.cut_never());
    if is_done { Ok(was_cut) } else { Err(format!("phone {tester} does not get through: {survival:?}")) }
}
