//! The engine's own contract for logs and state machines.

use super::{probe::Probe, tally::Tally};
use crate::{
    Config,
    engine::{Member, Types},
    fault::Fault,
    replica::{Ends, Past, Replica},
    snapshot::Snapshots,
    store::{self, LogStore},
};
use openraft::{
    StorageError,
    testing::log::{StoreBuilder, Suite},
    type_config::TypeConfigExt,
};
use protocol::port::Log;
use std::sync::Arc;
use storage::Journal;
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinSet};

/// What a store needs as long as it lives.
struct Kept {
    _ends: Ends<Tally>,
    _writer: JoinSet<()>,
    _stop: watch::Sender<bool>,
}

type Built<G> = Result<((Kept, G), LogStore, Replica<Tally>), StorageError<Types>>;

/// Builds stores over logs; `G` is what a log needs as long as it lives.
struct Builder<F>(F);

impl<F, G> StoreBuilder<Types, LogStore, Replica<Tally>, (Kept, G)> for Builder<F>
where
    F: Fn() -> (Arc<dyn Log>, G) + Send + Sync,
    G: Send + Sync,
{
    async fn build(&self) -> Built<G> {
        let (log, guard) = (self.0)();
        let fault = Fault::new();
        // Nothing stays in memory, so that the log itself is read.
        let config = Config { recent_bytes: 0, ..Config::default() };
        let opened = store::open(&config, log.clone(), fault.clone()).await.unwrap();
        let mut writer = JoinSet::new();
        writer.spawn(opened.writer.run());
        let snapshots = Snapshots { log, writes: opened.writes, fault };
        let stop = watch::Sender::new(false);
        let me = Member::from(0);
        let past = Past { term: opened.term, last: opened.last };
        let (replica, ends) =
            Replica::new(me, past, Tally::default(), 1, stop.subscribe(), snapshots);
        let kept = Kept { _ends: ends, _writer: writer, _stop: stop };
        Ok(((kept, guard), opened.store, replica))
    }
}

#[test]
fn a_log_in_memory_fulfils_the_engines_contract() {
    let open = || -> (Arc<dyn Log>, ()) { (Probe::new(), ()) };
    Types::run(async { Suite::test_all(Builder(open)).await.unwrap() });
}

#[test]
fn a_journal_fulfils_the_engines_contract() {
    let open = || -> (Arc<dyn Log>, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (Arc::new(Journal::open(dir.path()).unwrap()), dir)
    };
    Types::run(async { Suite::test_all(Builder(open)).await.unwrap() });
}
