//! The paths of the cluster.

use crate::handle::{Answer, Door, Whole, json, malformed, question};
use api::path::{self, ClusterQuery};
use axum::{
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::header,
    response::IntoResponse,
};
use futures::TryStreamExt;

pub(crate) async fn show(
    State(door): State<Door>,
    query: Result<Query<ClusterQuery>, QueryRejection>,
) -> Answer {
    let Query(ClusterQuery { current }) =
        query.map_err(|rejection| malformed(rejection.body_text()))?;
    match current {
        true => json(&door.api.cluster_current().await?),
        false => json(&door.api.cluster().await?),
    }
}

pub(crate) async fn manage(State(door): State<Door>, body: Whole) -> Answer {
    json(&door.api.manage(question(body)?).await?)
}

pub(crate) async fn backup(State(door): State<Door>) -> Answer {
    let pieces = door.api.backup().await?.map_err(|error| error.message);
    Ok(([(header::CONTENT_TYPE, path::BYTES)], Body::from_stream(pieces)).into_response())
}
