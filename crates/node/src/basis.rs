//! What a node is, before it does anything: directory, settings, keys, genesis.

use crate::{clock::SystemClock, config::Config, executors};
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
        let genesis = genesis(&options)?;
        data.keep_genesis(&genesis)?;
        let mut entropy = [[0; 32]; 2];
        entropy.iter_mut().try_for_each(|e| getrandom::fill(e)).context("no randomness")?;
        let key = data.node_key_or_new(entropy[0])?;
        let wants_owner = options
            .join
            .as_ref()
            .is_some_and(|l| l.invitation.payload.kind == protocol::InvitationKind::Owner);
        let owner =
            if wants_owner { Some(data.owner_key_or_new(entropy[1])?) } else { data.owner_key()? };
        let kept = Config::load(data.root())?;
        if is_listen_unheard(&kept, &options.listen) {
            tracing::warn!(
                listens = options.listen.join(" "),
                "[network] listen in config.toml does not count: settings.json in the same \
                 directory, or --listen, says something else"
            );
        }
        let config = over(kept, &options)?;
        config.check(&genesis)?;
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

/// The genesis that was given, else the one in the directory.
fn genesis(options: &UpOptions) -> anyhow::Result<Genesis> {
    let given = match (&options.genesis, &options.join) {
        (Some(path), None) => Some(cli::data::read_genesis(path)?),
        (None, Some(line)) => Some(line.genesis.clone()),
        (None, None) => options.data.genesis()?,
        (Some(_), Some(_)) => bail!("give --genesis or --join, not both"),
    };
    given.with_context(|| {
        format!(
            "{} belongs to no network yet; start with --genesis FILE (a founder) or --join - \
             (someone who was invited, with the line on stdin)",
            options.data.root().display()
        )
    })
}

/// The settings of the directory, and over them what was said at the start.
fn over(mut config: Config, options: &UpOptions) -> anyhow::Result<Config> {
    if !options.listen.is_empty() {
        config.network.listen.clone_from(&options.listen);
    }
    config.network.announce.extend(options.announce.iter().cloned());
    for peer in &options.bootstrap {
        config.network.bootstrap.push(peer.parse()?);
    }
    if let Some(api) = options.api {
        config.gateway.addr = api;
    }
    Ok(config)
}

/// Whether config.toml says where to listen, and something else counts.
fn is_listen_unheard(config: &Config, said: &[String]) -> bool {
    let listen = &config.network.listen;
    *listen != network::Config::default().listen && !said.is_empty() && listen != said
}

/// Checks the settings that a node would start with.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn check(options: &UpOptions) -> anyhow::Result<()> {
    over(Config::load(options.data.root())?, options)?.check(&genesis(options)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cli::data::DataDir;
    use protocol::{Founder, Params};

    /// A directory of a founder, with settings.
    fn founder(dir: &std::path::Path, settings: &str) -> UpOptions {
        let data = DataDir::at(dir);
        let owner = data.owner_key_or_new([1; 32]).unwrap();
        let node = data.node_key_or_new([2; 32]).unwrap().public();
        let founder = Founder { node, name: "Elm".into(), addresses: Vec::new() };
        let founder = identity::Signed::new(founder, identity::NetworkId::FOUNDING, &owner);
        let founded = protocol::Time(1_700_000_000_000);
        let genesis = Genesis::found("home".into(), founded, vec![founder], 1, Params::default());
        data.keep_genesis(&genesis.unwrap()).unwrap();
        std::fs::write(dir.join(crate::config::FILE), settings).unwrap();
        UpOptions {
            data,
            genesis: None,
            join: None,
            owner_name: "Elm".into(),
            listen: Vec::new(),
            announce: Vec::new(),
            bootstrap: Vec::new(),
            api: None,
            exit_with_stdin: false,
            background: None,
        }
    }

    #[test]
    fn the_api_listens_where_config_says_unless_the_start_says_something_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut options = founder(dir.path(), "[gateway]\naddr = \"127.0.0.1:4880\"\n");
        let of = |options: &UpOptions| {
            over(Config::load(dir.path()).unwrap(), options).unwrap().gateway.addr.to_string()
        };
        assert_eq!(of(&options), "127.0.0.1:4880");
        options.api = Some("127.0.0.1:4881".parse().unwrap());
        assert_eq!(of(&options), "127.0.0.1:4881");
    }

    #[test]
    fn two_places_that_say_differently_where_to_listen_are_noticed() {
        let (one, other) = ("/ip4/0.0.0.0/udp/1/quic-v1", "/ip4/0.0.0.0/udp/2/quic-v1");
        let mut config = Config::default();
        let said = |text: &str| vec![text.to_string()];
        // Nobody wrote the default.
        assert!(!is_listen_unheard(&config, &said(one)));
        config.network.listen = said(one);
        assert!(!is_listen_unheard(&config, &[]));
        assert!(!is_listen_unheard(&config, &said(one)));
        assert!(is_listen_unheard(&config, &said(other)));
    }

    #[test]
    fn settings_that_make_no_sense_are_found_before_anything_starts() {
        let dir = tempfile::tempdir().unwrap();
        let options = founder(dir.path(), "");
        check(&options).unwrap();
        for (settings, named) in [
            ("no_setting = 1", "no_setting"),
            ("executors = 17", "executors"),
            ("misbehave = \"silent\"", "demonstration"),
            ("[network]\naccept_queue = 0", "accept_queue"),
            ("[storage]\nreaders = 0", "readers"),
            ("[cluster]\nvoters = 4", "voters"),
            ("[gateway]\naddr = \"0.0.0.0:1\"", "loopback"),
        ] {
            std::fs::write(dir.path().join(crate::config::FILE), settings).unwrap();
            let error = format!("{:#}", check(&options).unwrap_err());
            assert!(error.contains(named), "{settings}: {error}");
        }
    }
}
