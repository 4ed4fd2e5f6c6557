//! What the tests and benchmarks of the whole share: databases, and the world in which they happen (a real server over real
//! sockets, phones through the SDK, desks over the JSON API, a clock that the test moves). The tests themselves are in `tests/tests`.
#![warn(missing_docs)]

pub mod city;
pub mod clock;
pub mod kill_loop;
pub mod medium;
pub mod phones;
pub mod postgres;
pub mod raw_database;
pub mod real_logs;
pub mod simulation;
pub mod slow_link;
pub mod world;
