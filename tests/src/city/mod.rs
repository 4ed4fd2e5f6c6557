//! A simulated city: half a year of complaints of all classes and channels, handled by desks and testers over the server's own HTTP
//! surface on simulated time, with everything that must hold checked; and a driver that gives random commands.
//!
//! A run is made by its seed: the same seed gives the same complaints, decisions and figures on either database. What does not
//! belong here: faults of the network and killed processes (`simulation`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

pub mod checks;
pub mod figures;
pub mod office;
pub mod phones;
pub mod random;
pub mod stories;

use crate::simulation::Database;
use callout_sync_protocol::time::Timestamp;
use checks::{build_demands_check, clocks_check, order_check, orders_all, trail_check};
use figures::Figures;
use office::Office;
use std::time::Instant;
use stories::City;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CitySetting {
    /// Decides everything that looks like chance.
    pub seed: u64,
    /// On which database.
    pub database: Database,
    /// How many complaints come in.
    pub complaints: u64,
    /// Over how many days.
    pub days: u64,
    /// One order in so many is worked on with the real phone core; the others with light phones. 0: none.
    pub full_phone_every: u64,
}

/// From so many complaints on, a half-year must show its burst and its outage.
const LARGE: u64 = 1_000;

/// The first morning of every city, in China.
pub fn first_morning() -> Timestamp {
    "2026-05-31T16:00:00Z".parse().unwrap()
}

/// A run in which everything held.
#[derive(Clone, Debug)]
pub struct CityReport {
    /// What came out.
    pub figures: Figures,
    /// Requests that the server answered.
    pub requests: u64,
    /// Events on the trail, and how many of them are anchored.
    pub events: (u64, u64),
    /// Orders checked.
    pub orders: u64,
    /// Build demands checked.
    pub build_demands: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Simulates a city; `None` where its database is not installed. Progress is told now and then, in one line.
///
/// # Errors
/// What did not hold.
pub fn run(setting: &CitySetting, progress: &mut dyn FnMut(&str)) -> Option<Result<CityReport, String>> {
    let begun = Instant::now();
    let mut city = City::open(setting)?;
    Some(run_in(&mut city, setting, progress).map(|mut report| {
        report.seconds = begun.elapsed().as_secs_f64();
        report
    }))
}

fn run_in(city: &mut City, setting: &CitySetting, progress: &mut dyn FnMut(&str)) -> Result<CityReport, String> {
    city.live(progress)?;
    progress("checking every order 校验全部工单");
    let office: &mut Office = &mut city.office;
    let orders = orders_all(office);
    for order in &orders {
        order_check(office, *order)?;
    }
    // Asking for clocks costs a request an order: all of a small city's, a sample of a large one's.
    let every = (orders.len() / 500).max(1);
    for order in orders.iter().step_by(every) {
        clocks_check(office, "t1-all", *order)?;
    }
    let build_demands = build_demands_check(office, "lead-all")?;
    let events = trail_check(office)?;
    let figures = Figures::read(city, setting)?;
    // A large city's burst in the rainy season is told of, and its site that is down gathers a crowd.
    if setting.complaints >= LARGE && setting.days >= 180 {
        if figures.warnings == 0 {
            return Err("the burst of complaints raised no warning (R-WARN-1)".to_owned());
        }
        if figures.supervised == 0 {
            return Err("the site that was down never entered the supervision list (R-SUPERVISE-1)".to_owned());
        }
    }
    let office = &mut city.office;
    if let Some(violation) = office.violations.first() {
        return Err(violation.clone());
    }
    Ok(CityReport {
        figures,
        requests: office.requests,
        events,
        orders: orders.len() as u64,
        build_demands,
        seconds: 0.0,
    })
}
