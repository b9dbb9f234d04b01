//! What a node does until it ends, each part with what it is called, and the parts that work for
//! other homes.

use crate::{
    basis::Basis,
    chain::{Chain, Submit},
    measure::{self, Own},
    misbehave,
    post::{Letter, Post},
    rerun,
    worker::{self, Executor, Withheld},
};
use anyhow::anyhow;
use execution::Engine;
use identity::SecretKey;
use protocol::{ToWorker, port::Streams};
use std::{collections::HashMap, sync::Arc};
use storage::{Store, exchange};
use tokio::{
    sync::mpsc,
    task::{Id, JoinSet},
};

/// What a node does until it ends. If one part ends, the node cannot go on.
#[derive(Default)]
pub(crate) struct Roles {
    parts: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Roles {
    /// Begins a part, and remembers what it is called.
    pub(crate) fn play(
        &mut self,
        name: &'static str,
        part: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let id = self.parts.spawn(part).id();
        self.names.insert(id, name);
    }

    /// Waits until a part ends, and says which one, and why if it said so.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        let Some(ended) = self.parts.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let id = ended.as_ref().map_or_else(|broke| broke.id(), |(id, _)| *id);
        let name = self.names.get(&id).copied().unwrap_or("a part of the node");
        match ended {
            Ok((_, Ok(()))) => anyhow!("{name}: stopped by itself"),
            Ok((_, Err(error))) => error.context(name),
            Err(broke) => anyhow::Error::from(broke).context(format!("{name}: broke")),
        }
    }

    /// Stops all parts, and waits for that.
    pub(super) async fn shutdown(&mut self) {
        self.parts.shutdown().await;
    }
}

/// What the roles of a node share.
pub(super) struct Hands {
    pub(super) store: Store,
    pub(super) streams: Arc<dyn Streams>,
    pub(super) withheld: Arc<Withheld>,
    pub(super) fetcher: exchange::Fetcher,
    pub(super) post: Post,
    pub(super) chain: Chain,
    pub(super) submit: Submit,
}

/// Starts what this node, and each further executor, does for others: replicas of their tasks,
/// verdicts, audits.
pub(super) fn employ(
    basis: &Basis,
    hands: &Hands,
    engine: Engine,
    letters: mpsc::Receiver<Letter<ToWorker>>,
    roles: &mut Roles,
) -> Arc<Executor> {
    let Hands { store, streams, withheld, fetcher, post, chain, submit } = hands;
    if basis.config.misbehave == Some(misbehave::Misbehaviour::FalseAccuser) {
        let (chain, submit) = (chain.clone(), submit.clone());
        let (key, clock, streams) = (basis.key.clone(), basis.clock.clone(), streams.clone());
        let accusing = misbehave::accuse_falsely(chain, key, clock, streams, submit);
        roles.play("the false accuser", accusing);
    }
    let executor = Executor::new(engine, store.clone(), fetcher.clone(), withheld.clone());
    let executor = Arc::new(executor);
    employ_one(basis, hands, (&basis.key, post.clone(), letters), executor.clone(), roles);
    for key in &basis.executors {
        let (post, letters) = post.beside(key.public());
        employ_one(basis, hands, (key, post, letters), executor.clone(), roles);
    }
    executor
}

/// Measures what this machine does, in the background.
pub(super) fn measure(
    basis: &Basis,
    hands: &Hands,
    executor: Arc<Executor>,
    roles: &mut Roles,
) -> Own {
    let (measuring, own) = measure::start(measure::Parts {
        keys: std::iter::once(&basis.key).chain(&basis.executors).cloned().collect(),
        chain: hands.chain.clone(),
        clock: basis.clock.clone(),
        executor,
        store: hands.store.clone(),
        dir: basis.options.data.root().join("store"),
        labels: basis.config.labels.clone(),
        price: basis.config.price,
        cores: u16::try_from(basis.config.execution.threads()).unwrap_or(u16::MAX),
    });
    roles.play("what is measured of this machine", measuring);
    own
}

/// Starts what one executor does.
fn employ_one(
    basis: &Basis,
    hands: &Hands,
    (key, post, letters): (&SecretKey, Post, mpsc::Receiver<Letter<ToWorker>>),
    executor: Arc<Executor>,
    roles: &mut Roles,
) {
    let Hands { store, streams, withheld, chain, submit, .. } = hands;
    let conduct = misbehave::conduct(basis.config.misbehave, key, store, withheld);
    let sworn = Arc::new(worker::Sworn::default());
    let again = rerun::Parts {
        key: key.clone(),
        chain: chain.clone(),
        clock: basis.clock.clone(),
        streams: streams.clone(),
        submit: submit.clone(),
        executor: executor.clone(),
        conduct: conduct.clone(),
        sworn: sworn.clone(),
    };
    roles.play("what is run again", async move { Ok(rerun::run(again).await?) });
    let parts = worker::Parts {
        key: key.clone(),
        chain: chain.clone(),
        clock: basis.clock.clone(),
        streams: streams.clone(),
        post,
        executor,
        conduct,
        sworn,
        withheld: withheld.clone(),
    };
    roles.play("the executor", async move {
        worker::run(parts, letters).await;
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future;

    async fn end(part: impl Future<Output = anyhow::Result<()>> + Send + 'static) -> String {
        let mut roles = Roles::default();
        roles.play("the one that goes on", future::pending());
        roles.play("the one that ends", part);
        format!("{:#}", roles.ended().await)
    }

    #[tokio::test]
    async fn the_part_that_ended_is_named() {
        assert_eq!(end(async { Ok(()) }).await, "the one that ends: stopped by itself");
        assert_eq!(end(async { Err(anyhow!("no disk")) }).await, "the one that ends: no disk");
        let broke = end(async { panic!("it was not to be") }).await;
        assert!(broke.starts_with("the one that ends: broke: "), "{broke}");
    }
}
