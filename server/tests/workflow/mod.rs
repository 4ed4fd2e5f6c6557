//! The desks' rules, tested through their public functions: tables that cite the rules, and random walks that try to break them.

mod board;
mod calendar_and_limits;
mod complaints;
mod dispatching;
mod docs;
mod evidence;
mod kpis;
mod ladder;
mod random_walks;
mod regions;
mod supervision;
mod support;
mod tickets_and_revisits;
mod words;
mod work_orders;
