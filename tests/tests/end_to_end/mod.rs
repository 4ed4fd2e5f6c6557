//! The whole system over real HTTP, each test on both databases: access, and everything bad that can be sent.

mod access;
mod complaints;
mod sessions;
mod support;
mod tokens;
