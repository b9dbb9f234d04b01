//! What a node is, before it does anything: directory, settings, keys, genesis.

use crate::{clock::SystemClock, config::Config, executors, misbehave};
use anyhow::{Context, bail};
use cli::UpOptions;
use identity::SecretKey;
use protocol::{Genesis, port::Clock};
use std::sync::Arc;

/// What a node is, before it does anything.
pub(crate) struct Basis {
    pub(crate) options: UpOptions,
    pub(crate) config: Config,
    pub(crate) key: SecretKey,
    /// Those of further executors in this process.
    pub(crate) executors: Vec<SecretKey>,
    pub(crate) owner: Option<SecretKey>,
    pub(crate) genesis: Genesis,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Basis {
    /// Reads what is there, and makes keys that are missing.
    ///
    /// # Errors
    /// One clear sentence and the way out.
    pub(crate) fn of(options: UpOptions) -> anyhow::Result<Self> {
        let data = &options.data;
        data.create()?;
        let given = match (&options.genesis, &options.join) {
            (Some(path), None) => Some(cli::data::read_genesis(path)?),
            (None, Some(line)) => Some(line.genesis.clone()),
            (None, None) => None,
            (Some(_), Some(_)) => bail!("give --genesis or --join, not both"),
        };
        if let Some(genesis) = &given {
            data.keep_genesis(genesis)?;
        }
        let Some(genesis) = data.genesis()? else {
            bail!(
                "{} belongs to no network yet; start with --genesis FILE (a founder) or --join LINE \
                 (someone who was invited)",
                data.root().display()
            )
        };
        let mut entropy = [[0; 32]; 2];
        entropy.iter_mut().try_for_each(|e| getrandom::fill(e)).context("no randomness")?;
        let key = data.node_key_or_new(entropy[0])?;
        let wants_owner = options
            .join
            .as_ref()
            .is_some_and(|l| l.invitation.payload.kind == protocol::InvitationKind::Owner);
        let owner =
            if wants_owner { Some(data.owner_key_or_new(entropy[1])?) } else { data.owner_key()? };
        let mut config = Config::load(data.root())?;
        if !options.listen.is_empty() {
            config.network.listen.clone_from(&options.listen);
        }
        config.network.announce.extend(options.announce.iter().cloned());
        for peer in &options.bootstrap {
            config.network.bootstrap.push(peer.parse()?);
        }
        config.gateway.addr = options.api;
        config.work.check()?;
        config.check(&genesis)?;
        misbehave::check(config.misbehave, &genesis)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let ahead_ms = genesis.founded.since_ms(clock.now());
        if ahead_ms > genesis.params.clock_drift_ms {
            bail!(
                "this machine's clock says {}, but the network was founded at {}; set the clock",
                clock.now(),
                genesis.founded
            );
        }
        if genesis.tolerated_faults() == 0 {
            tracing::warn!(
                validators = genesis.validators.len(),
                "fewer than four validators: this polity tolerates no fault"
            );
        }
        let executors = executors::keys(data, config.executors)?;
        Ok(Self { options, config, key, executors, owner, genesis, clock })
    }
}
