//! The paths of the cluster.

use crate::handle::{Answer, Door, Whole, json, question};
use axum::extract::State;

pub(crate) async fn show(State(door): State<Door>) -> Answer {
    json(&door.api.cluster().await?)
}

pub(crate) async fn manage(State(door): State<Door>, body: Whole) -> Answer {
    json(&door.api.manage(question(body)?).await?)
}
