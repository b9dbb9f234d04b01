//! The ledger as the consensus engine sees it: proposing, judging, taking final blocks.

use super::{Chain, ChainError};
use consensus::{Application, Call, Draft, Parent, Verdict};
use identity::SecretKey;
use ledger::{CheckedTx, Ledger};
use protocol::{Block, Certificate, Header, NamedBlock, NamedTx, Time, Tx, port::Answer};
use std::sync::Arc;

/// Where a proposer could cheat. The default is fair.
pub(crate) trait Proposing: Send + Sync + 'static {
    /// Whether a waiting transaction is considered.
    fn considers(&self, _tx: &Tx) -> bool {
        true
    }

    /// What it proposes, given a block that holds; or nothing at all.
    fn proposes(&self, fair: Block) -> Option<Block> {
        Some(fair)
    }
}

/// Proposes what applies, in the order in which it came.
pub(crate) struct Fair;

impl Proposing for Fair {}

/// The ledger behind the engine of one validator.
pub(crate) struct Proposer {
    chain: Chain,
    key: SecretKey,
    proposing: Arc<dyn Proposing>,
}

impl Proposer {
    pub(crate) fn new(chain: Chain, key: SecretKey, proposing: Arc<dyn Proposing>) -> Self {
        Self { chain, key, proposing }
    }
}

impl Chain {
    /// The state that a proposal is built on; `Ok(None)` if its height is final already.
    fn state_at(&self, parent: &Parent) -> Result<Option<Arc<Ledger>>, ChainError> {
        let mut state = self.ledger();
        for block in &parent.pending {
            if block.header.height > state.tip().height {
                state = self.after(&state, block)?;
                self.propose_state(block, &state);
            }
        }
        let same = state.tip().digest() == parent.header.digest();
        Ok(same.then_some(state))
    }

    fn propose_state(&self, block: &Block, after: &Arc<Ledger>) {
        self.state().proposals.insert(block.header.digest(), after.clone());
    }

    fn judge(&self, parent: &Parent, block: &NamedBlock, now: Time) -> Verdict {
        let header = &block.header;
        let final_ledger = self.ledger();
        if header.height <= final_ledger.tip().height {
            return Verdict::Moot;
        }
        let drift_ms = final_ledger.params().clock_drift_ms;
        if header.time > now.after_ms(drift_ms) {
            return Verdict::NotBefore(Time(header.time.0.saturating_sub(drift_ms)));
        }
        let state = match self.state_at(parent) {
            Ok(Some(state)) => state,
            Ok(None) => return Verdict::Moot,
            Err(error) => return Verdict::Invalid(error.to_string()),
        };
        match self.after(&state, block) {
            Ok(after) => {
                self.propose_state(block, &after);
                Verdict::Valid
            }
            Err(error) => Verdict::Invalid(error.to_string()),
        }
    }

    fn draft(&self, key: &SecretKey, proposing: &dyn Proposing, call: &Call) -> Draft {
        let state = match self.state_at(&call.parent) {
            Ok(Some(state)) => state,
            Ok(None) => return Draft::default(),
            Err(error) => {
                tracing::error!(%error, "cannot propose on this parent");
                return Draft::default();
            }
        };
        let mut stale = Vec::new();
        let mut checked = Vec::with_capacity(call.candidates.len());
        let considers = |waiting: &&Arc<NamedTx>| proposing.considers(waiting.tx());
        let considered: Vec<_> = call.candidates.iter().filter(considers).cloned().collect();
        for (candidate, check) in considered.iter().zip(self.check_all(&considered)) {
            match check {
                Ok(tx) => checked.push(tx),
                Err(_) => stale.push(candidate.digest()),
            }
        }
        let (block, refused) = state.propose(key, call.now, checked.iter().map(AsRef::as_ref));
        for (digest, refusal) in refused {
            tracing::debug!(%digest, %refusal, "a waiting transaction applies no more");
            stale.push(digest);
        }
        let wanted = call.due || !block.txs.is_empty();
        Draft { block: wanted.then_some(block).and_then(|fair| proposing.proposes(fair)), stale }
    }
}

impl Application for Proposer {
    fn genesis(&self) -> Block {
        let genesis = Ledger::genesis(self.chain.genesis());
        let header: Header = genesis.tip().clone();
        Block { header, txs: Vec::new() }
    }

    fn check(&self, txs: &[Arc<NamedTx>]) -> Vec<Result<(), String>> {
        let ledger = self.chain.ledger();
        let check = |checked: Result<Arc<CheckedTx>, protocol::Error>| {
            let checked = checked.map_err(|error| error.to_string())?;
            match ledger.check_tx(&checked) {
                Err(refusal) if !refusal.is_passing() => Err(refusal.to_string()),
                _ => Ok(()),
            }
        };
        self.chain.check_all(txs).into_iter().map(check).collect()
    }

    fn wants_block(&self) -> bool {
        self.chain.ledger().owes_block()
    }

    fn propose(&self, call: Call) -> Answer<'static, Draft> {
        let (chain, key) = (self.chain.clone(), self.key.clone());
        let proposing = self.proposing.clone();
        Box::pin(async move { chain.draft(&key, proposing.as_ref(), &call) })
    }

    fn verify(
        &self,
        parent: Parent,
        block: Arc<NamedBlock>,
        now: Time,
    ) -> Answer<'static, Verdict> {
        let chain = self.chain.clone();
        Box::pin(async move { chain.judge(&parent, &block, now) })
    }

    fn finalized(
        &self,
        block: Arc<NamedBlock>,
        certificate: Option<Certificate>,
    ) -> Answer<'static, Result<(), String>> {
        let chain = self.chain.clone();
        Box::pin(async move {
            chain.extend(&block, certificate).await.map_err(|error| error.to_string())
        })
    }
}
