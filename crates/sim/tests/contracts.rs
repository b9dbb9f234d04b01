//! The fakes keep the contracts of the ports.
#![allow(missing_docs)]

use protocol::port::{Blobs, Log};
use sim::{blobs::MemoryBlobs, contract, log::MemoryLog};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

#[tokio::test]
async fn a_log_in_memory_is_a_log() {
    let logs = Mutex::new(HashMap::<String, MemoryLog>::new());
    contract::log(|name| {
        let mut logs = logs.lock().expect("no panic");
        Arc::new(logs.entry(name.into()).or_default().clone()) as Arc<dyn Log>
    })
    .await;
}

#[tokio::test]
async fn blobs_in_memory_are_a_store() {
    let stores = Mutex::new(HashMap::<String, MemoryBlobs>::new());
    contract::blobs(|name| {
        let mut stores = stores.lock().expect("no panic");
        Arc::new(stores.entry(name.into()).or_default().clone()) as Arc<dyn Blobs>
    })
    .await;
}
