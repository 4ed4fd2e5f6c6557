pub mod photos;
pub mod workflow;
