//! All integration tests in one binary: it links once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod city;
mod end_to_end;
mod kill_loop;
mod simulation;
mod storage;
