//! Founding the polity of one owner on this machine, at its first use.

use crate::{
    data::{self, DataDir},
    failure::Failure,
    machine,
};
use identity::{NetworkId, Signed};
use protocol::{Distinct, Founder, Genesis, Params};
use std::io;

/// Settings that such a node begins with. Its owner may change them.
const CONFIG: &str = "\
# The node that commands start in the background on this machine.
# Executors in its process: what they agree on is determined.
executors = 3
# It ends after so long without jobs or requests, in milliseconds; 0: never.
idle_exit_ms = 600000

# It is alone: there is nobody to look for, and nobody to vote against.
[network]
listen = []
dial_interval_ms = 60000
dial_backoff_max_ms = 60000
[cluster]
heartbeat_ms = 10000
election_ms = 30000
";

/// Makes keys, settings and genesis, unless they are there. The genesis comes last: without it
/// nothing was founded, and it is tried again.
pub(super) fn found(data: &DataDir) -> Result<(), Failure> {
    if data.genesis()?.is_some() {
        return Ok(());
    }
    let owner = data.owner_key_or_new(machine::entropy()?)?;
    let node = data.node_key_or_new(machine::entropy()?)?.public();
    let config = data.root().join("config.toml");
    match data::write_new(&config, CONFIG.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Failure::file(&config, &error));
        }
        _ => {}
    }
    let name = data.settings()?.owner_name();
    let founder = Founder { node, name, addresses: Vec::new() };
    let founder = Signed::new(founder, NetworkId::FOUNDING, &owner);
    let params = Params {
        distinct: Distinct::Nodes,
        // Nobody else is there: to bar the owner would only stop its own work, and whoever could
        // audit has run the task already.
        sanctions_ms: vec![1],
        audit_per_mille: 0,
        ..Params::default()
    };
    let name = "on this machine".to_string();
    let genesis = Genesis::found(name, machine::now(), vec![founder], 1, params);
    data.keep_genesis(&genesis.map_err(Failure::internal)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polity_of_one_owner_is_founded_once() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path().join("embedded"));
        found(&data).unwrap();
        let genesis = data.genesis().unwrap().unwrap();
        assert_eq!(genesis.params.distinct, Distinct::Nodes);
        assert_eq!((genesis.founders.len(), genesis.validators.len()), (1, 1));
        found(&data).unwrap();
        assert_eq!(data.genesis().unwrap().unwrap(), genesis);
    }

    #[test]
    fn founding_that_was_interrupted_goes_on_with_the_same_keys_and_settings() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path());
        let owner = data.owner_key_or_new([1; 32]).unwrap().public();
        let config = dir.path().join("config.toml");
        std::fs::write(&config, "executors = 2\n").unwrap();
        found(&data).unwrap();
        assert_eq!(data.genesis().unwrap().unwrap().founders[0].by, owner);
        assert_eq!(std::fs::read_to_string(config).unwrap(), "executors = 2\n");
    }
}
