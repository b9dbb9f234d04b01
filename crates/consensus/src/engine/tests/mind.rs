//! The real ledger behind the engine, with a character: whether it proposes and judges as it should.

use crate::{Application, Call, Draft, Parent, Verdict, tests::Chain};
use futures::{FutureExt, future};
use identity::{Digest, SecretKey};
use ledger::{CheckedTx, Ledger};
use protocol::{Block, Certificate, Genesis, NamedBlock, NamedTx, Time, port::Answer};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// Answers a call for a proposal.
type Propose = dyn Fn(&Mind, &Call) -> Option<Draft> + Send + Sync;
/// Judges a proposal.
type Judge = dyn Fn(&Mind, &Parent, &Block, Time) -> Option<Verdict> + Send + Sync;

/// How a validator answers the engine; `None` is never.
#[derive(Clone)]
pub(super) struct Character {
    pub(super) propose: Arc<Propose>,
    pub(super) judge: Arc<Judge>,
}

impl Default for Character {
    /// An honest one.
    fn default() -> Self {
        Self {
            propose: Arc::new(|mind, call| Some(mind.draft(call))),
            judge: Arc::new(|mind, parent, block, now| Some(mind.verdict(parent, block, now))),
        }
    }
}

impl Character {
    /// Proposes in its own way, and judges as it should.
    pub(super) fn proposing(
        propose: impl Fn(&Mind, &Call) -> Option<Draft> + Send + Sync + 'static,
    ) -> Self {
        Self { propose: Arc::new(propose), ..Self::default() }
    }
}

/// A validator's ledger; what is final it keeps in a [`Chain`], as on a disk.
pub(super) struct Mind {
    pub(super) key: SecretKey,
    chain: Arc<Chain>,
    genesis: Block,
    character: Character,
    state: Mutex<State>,
}

struct State {
    ledger: Arc<Ledger>,
    /// Ledgers after blocks that are not final yet.
    after: HashMap<Digest, Arc<Ledger>>,
}

impl Mind {
    /// Goes on where the chain ends.
    pub(super) fn new(
        genesis: &Genesis,
        key: SecretKey,
        chain: Arc<Chain>,
        character: Character,
    ) -> Self {
        let mut ledger = Ledger::genesis(genesis);
        let genesis = Block { header: ledger.tip().clone(), txs: Vec::new() };
        for entry in chain.blocks() {
            ledger = ledger.apply_final(&entry.block).expect("final blocks apply").0;
        }
        let state = State { ledger: Arc::new(ledger), after: HashMap::new() };
        Self { key, chain, genesis, character, state: Mutex::new(state) }
    }

    pub(super) fn ledger(&self) -> Arc<Ledger> {
        self.state.lock().unwrap().ledger.clone()
    }

    /// The state after a block that follows `state`.
    fn after(&self, state: &Ledger, block: &Block) -> Result<Arc<Ledger>, String> {
        let name = block.header.digest();
        if let Some(known) = self.state.lock().unwrap().after.get(&name) {
            return Ok(known.clone());
        }
        let (after, _) = state.apply_final(block).map_err(|error| error.to_string())?;
        let after = Arc::new(after);
        self.state.lock().unwrap().after.insert(name, after.clone());
        Ok(after)
    }

    /// The state that a proposal is built on; none if its height is final already.
    fn state_at(&self, parent: &Parent) -> Result<Option<Arc<Ledger>>, String> {
        let mut state = self.ledger();
        for block in &parent.pending {
            if block.header.height > state.tip().height {
                state = self.after(&state, block)?;
            }
        }
        let same = state.tip().digest() == parent.header.digest();
        Ok(same.then_some(state))
    }

    /// What an honest validator proposes.
    pub(super) fn draft(&self, call: &Call) -> Draft {
        let Ok(Some(state)) = self.state_at(&call.parent) else { return Draft::default() };
        let checked = call.candidates.iter().map(|candidate| {
            CheckedTx::new(candidate.tx().clone(), state.network()).expect("it was checked")
        });
        let checked: Vec<_> = checked.collect();
        let (block, refused) = state.propose(&self.key, call.now, &checked);
        let stale = refused.into_iter().map(|(digest, _)| digest).collect();
        let wanted = call.due || !block.txs.is_empty();
        Draft { block: wanted.then_some(block), stale }
    }

    /// What an honest validator says of a block.
    pub(super) fn verdict(&self, parent: &Parent, block: &Block, now: Time) -> Verdict {
        let ledger = self.ledger();
        let header = &block.header;
        if header.height <= ledger.tip().height {
            return Verdict::Moot;
        }
        let drift_ms = ledger.params().clock_drift_ms;
        if header.time > now.after_ms(drift_ms) {
            return Verdict::NotBefore(Time(header.time.0 - drift_ms));
        }
        match self.state_at(parent) {
            Ok(Some(state)) => match self.after(&state, block) {
                Ok(_) => Verdict::Valid,
                Err(reason) => Verdict::Invalid(reason),
            },
            Ok(None) => Verdict::Moot,
            Err(reason) => Verdict::Invalid(reason),
        }
    }

    /// What is final applies, or the run has failed.
    fn take(&self, block: Arc<NamedBlock>, certificate: Option<Certificate>) -> Result<(), String> {
        let ledger = self.ledger();
        if block.header.height > ledger.tip().height {
            let after = self.after(&ledger, &block).expect("a final block applies");
            let mut state = self.state.lock().unwrap();
            state.after.retain(|_, known| known.tip().height > block.header.height);
            state.ledger = after;
        }
        self.chain.take(block, certificate)
    }
}

/// An answer, or none ever.
fn answer<T: Send + 'static>(said: Option<T>) -> Answer<'static, T> {
    match said {
        Some(said) => future::ready(said).boxed(),
        None => future::pending().boxed(),
    }
}

impl Application for Mind {
    fn genesis(&self) -> Block {
        self.genesis.clone()
    }

    fn check(&self, txs: &[Arc<NamedTx>]) -> Vec<Result<(), String>> {
        let ledger = self.ledger();
        let check = |tx: &Arc<NamedTx>| {
            let checked = CheckedTx::new(tx.tx().clone(), ledger.network());
            match ledger.check_tx(&checked.map_err(|error| error.to_string())?) {
                Err(refusal) if !refusal.is_passing() => Err(refusal.to_string()),
                _ => Ok(()),
            }
        };
        txs.iter().map(check).collect()
    }

    fn propose(&self, call: Call) -> Answer<'static, Draft> {
        answer((self.character.propose)(self, &call))
    }

    fn verify(
        &self,
        parent: Parent,
        block: Arc<NamedBlock>,
        now: Time,
    ) -> Answer<'static, Verdict> {
        answer((self.character.judge)(self, &parent, &block, now))
    }

    fn finalized(
        &self,
        block: Arc<NamedBlock>,
        certificate: Option<Certificate>,
    ) -> Answer<'static, Result<(), String>> {
        future::ready(self.take(block, certificate)).boxed()
    }

    fn wants_block(&self) -> bool {
        self.ledger().owes_block()
    }
}
