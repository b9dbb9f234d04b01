//! Contradicting votes, checked and handed out.

use crate::{Event, convert, convert::Key};
use commonware_actor::Feedback;
use commonware_consensus::{
    Reporter,
    simplex::{
        scheme::{ed25519::Scheme, reporter::AttributableReporter},
        types::Activity,
    },
};
use commonware_cryptography::sha256;
use commonware_parallel::Sequential;
use commonware_utils::ordered::Set;
use rand_core::CryptoRng;
use tokio::sync::mpsc;

type Observed = Activity<Scheme, sha256::Digest>;

/// Passes contradictions on to the engine's own check of their signatures, and nothing else: all
/// other activity would cost a verification per vote.
pub(crate) struct Witness<R: CryptoRng + Send + 'static> {
    checked: AttributableReporter<R, Scheme, sha256::Digest, Sequential, Outlet>,
}

impl<R: CryptoRng + Send + 'static> Witness<R> {
    pub(crate) fn new(
        random: R,
        scheme: Scheme,
        validators: Set<Key>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let outlet = Outlet { validators, events };
        Self { checked: AttributableReporter::new(random, scheme, outlet, Sequential, true) }
    }
}

impl<R: CryptoRng + Send + 'static> Clone for Witness<R> {
    fn clone(&self) -> Self {
        Self { checked: self.checked.clone() }
    }
}

impl<R: CryptoRng + Send + 'static> Reporter for Witness<R> {
    type Activity = Observed;

    fn report(&mut self, activity: Observed) -> Feedback {
        match convert::is_contradiction(&activity) {
            true => self.checked.report(activity),
            false => Feedback::Ok,
        }
    }
}

/// Hands out contradictions whose signatures hold.
#[derive(Clone)]
struct Outlet {
    validators: Set<Key>,
    events: mpsc::Sender<Event>,
}

impl Reporter for Outlet {
    type Activity = Observed;

    fn report(&mut self, activity: Observed) -> Feedback {
        let Some(pair) = convert::contradiction(&activity, &self.validators) else {
            return Feedback::Ok;
        };
        tracing::warn!(validator = ?pair.first.by, view = pair.first.view, "a validator contradicts itself");
        match self.events.try_send(Event::Evidence(pair)) {
            Ok(()) => Feedback::Ok,
            Err(error) => {
                tracing::warn!(%error, "nobody takes evidence");
                Feedback::Backoff
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{keys, settings};
    use commonware_consensus::{
        simplex::types::{ConflictingNotarize, Notarize, Proposal},
        types::{Epoch, Round, View},
    };

    fn contradiction(signer: usize) -> (Observed, Observed, Scheme, Set<Key>) {
        let settings = settings(4);
        let scheme = convert::scheme(&settings, &keys(4)[signer]).unwrap();
        let round = Round::new(Epoch::new(0), View::new(5));
        let vote = |payload: u8| {
            let proposal = Proposal::new(round, View::new(4), sha256::Digest([payload; 32]));
            Notarize::sign(&scheme, proposal).unwrap()
        };
        let (one, other) = (vote(1), vote(2));
        let mut forged = other.clone();
        forged.attestation.signature = one.attestation.signature.clone();
        let pair = |b| Activity::ConflictingNotarize(ConflictingNotarize::new(one.clone(), b));
        let own = convert::scheme(&settings, &keys(4)[0]).unwrap();
        (pair(other), pair(forged), own, convert::validators(&settings).unwrap())
    }

    #[test]
    fn two_votes_of_one_view_are_evidence_and_a_forged_one_is_not() {
        let (real, forged, scheme, validators) = contradiction(2);
        let (sender, mut events) = mpsc::channel(4);
        let mut witness =
            Witness::new(commonware_utils::test_rng(), scheme, validators.clone(), sender);
        witness.report(forged);
        assert!(events.try_recv().is_err());
        witness.report(real);
        let Ok(Event::Evidence(pair)) = events.try_recv() else { panic!("no evidence") };
        assert_eq!(pair.check(settings(4).network), Ok(convert::public(&validators[2])));
    }

    #[test]
    fn evidence_that_nobody_takes_does_not_stop_the_engine() {
        let (real, _, scheme, validators) = contradiction(1);
        let (sender, events) = mpsc::channel(1);
        let mut witness = Witness::new(commonware_utils::test_rng(), scheme, validators, sender);
        for _ in 0..3 {
            witness.report(real.clone());
        }
        drop(events);
        witness.report(real);
    }
}
