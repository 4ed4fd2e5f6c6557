//! The whole system over real HTTP, each test on both databases: the story, access, and everything bad that can be sent.

mod access;
mod bad_photos;
mod bad_requests;
mod bad_sync;
mod build_demands;
mod complaints;
mod desks;
mod dispatching;
mod evidence;
mod kpis;
mod openapi;
mod overview;
mod policies;
mod sessions;
mod story;
mod support;
mod sync;
mod tokens;
mod versions;
mod visits;
