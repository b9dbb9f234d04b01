//! Misbehaviour that can be switched on in a network that was founded for demonstration, and the
//! honest conduct of everybody else.

mod wrong_result;

use identity::PublicKey;
use protocol::{Genesis, Outcome};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wrong_result::WrongResult;

/// How a node lies, by its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Misbehaviour {
    /// It gives wrong outcomes for some replicas, and stands by them as a validator.
    WrongResult,
}

/// What a node does where it could lie. The default of every method is honest.
pub(crate) trait Conduct: Send + Sync {
    /// What it commits to, given what the program gave.
    fn outcome(&self, honest: Outcome) -> Outcome {
        honest
    }

    /// What it rules, given what the program gave.
    fn ruling(&self, honest: Outcome) -> Outcome {
        honest
    }
}

/// Does what is asked and says what it found.
struct Honest;

impl Conduct for Honest {}

/// Misbehaviour is for demonstrations only.
#[derive(Debug, thiserror::Error)]
#[error(
    "the setting 'misbehave' makes this node lie, and this network was not founded for \
     demonstration: take it out of config.toml"
)]
pub(crate) struct NotADemonstration;

/// The conduct that the settings ask for.
///
/// # Errors
/// If they ask for a lie in a network that is not for demonstration.
pub(crate) fn conduct(
    asked: Option<Misbehaviour>,
    genesis: &Genesis,
    me: PublicKey,
) -> Result<Arc<dyn Conduct>, NotADemonstration> {
    let Some(asked) = asked else { return Ok(Arc::new(Honest)) };
    if !genesis.params.demonstration {
        return Err(NotADemonstration);
    }
    tracing::warn!(?asked, "this node misbehaves, as its settings ask");
    Ok(match asked {
        Misbehaviour::WrongResult => Arc::new(WrongResult { me }),
    })
}
