//! A home among fake workers and a fake ledger: what it may never do, and what it must.

#![allow(clippy::unwrap_used)]

mod after;
mod before;
mod disputes;
mod first;
mod fit;
mod found;
mod inputs;
mod ledger;
mod life;
mod loss;
mod many;
mod pauses;
mod queue;
mod random;
mod sanctions;
mod sealed;
mod strangers;
mod told;
mod worker;
mod world;
