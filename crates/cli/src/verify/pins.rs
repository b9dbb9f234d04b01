//! Which networks a reader trusts to be the ones they are.

use crate::{
    data::{self, DataDir},
    failure::Failure,
};
use identity::NetworkId;
use std::path::{Path, PathBuf};

const FILE_BYTES: u64 = 1 << 20;

/// Networks that are pinned, and by what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pins(Vec<(NetworkId, String)>);

impl Pins {
    /// Pins one network.
    pub(crate) fn one(network: NetworkId, by: impl Into<String>) -> Self {
        Self(vec![(network, by.into())])
    }

    /// What a person pins: the hash or the genesis file that is named; else the networks of these
    /// data directories and those in `polity/networks` in the XDG configuration home, one hash per
    /// line, `#` for comments.
    pub(crate) fn of(named: Option<&str>, data: &[DataDir]) -> Result<Self, Failure> {
        if let Some(named) = named {
            return Self::named(named);
        }
        let mut pins = Vec::new();
        for data in data {
            if let Some(genesis) = data.genesis()? {
                let by = data.root().join("genesis.polity").display().to_string();
                pins.push((genesis.network(), by));
            }
        }
        if let Some(path) = networks_file().filter(|path| path.exists()) {
            pins.extend(read_networks(&path)?);
        }
        Ok(Self(pins))
    }

    fn named(named: &str) -> Result<Self, Failure> {
        if let Ok(network) = named.parse() {
            return Ok(Self::one(network, "--genesis"));
        }
        let path = Path::new(named);
        if path.exists() {
            return Ok(Self::one(data::named_genesis(path)?.network(), named));
        }
        Err(Failure::usage(format!("--genesis {named} is neither a hash nor a genesis file"))
            .next("founders can tell the hash: polity node describe"))
    }

    /// The pin for a receipt that says to be of `network`, and what pinned it. With pins of other
    /// networks only, one of those, so that it is refused.
    pub(crate) fn choose(&self, network: NetworkId) -> (Option<NetworkId>, Option<String>) {
        match self.0.iter().find(|(pinned, _)| *pinned == network).or(self.0.first()) {
            Some((pinned, by)) => (Some(*pinned), Some(by.clone())),
            None => (None, None),
        }
    }
}

fn networks_file() -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute())
    };
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .map(|config| config.join("polity/networks"))
}

fn read_networks(path: &Path) -> Result<Vec<(NetworkId, String)>, Failure> {
    let bytes =
        data::read_bounded(path, FILE_BYTES).map_err(|error| Failure::file(path, &error))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            let by = format!("{}:{}", path.display(), number + 1);
            let network = line.parse().map_err(|e| {
                Failure::usage(format!("{by}: {e}"))
                    .next("each line is the hash of a network, then # and whatever you like")
            })?;
            Ok((network, by))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::Digest;

    fn network(n: u8) -> NetworkId {
        NetworkId(Digest([n; 32]))
    }

    #[test]
    fn a_pinned_network_is_found_and_any_other_refused() {
        let pins = Pins(vec![(network(1), "a".into()), (network(2), "b".into())]);
        assert_eq!(pins.choose(network(2)), (Some(network(2)), Some("b".into())));
        assert_eq!(pins.choose(network(3)).0, Some(network(1)));
        assert_eq!(Pins::default().choose(network(3)), (None, None));
    }

    #[test]
    fn a_list_of_networks_has_comments_and_its_errors_have_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("networks");
        std::fs::write(&path, format!("# ours\n\n{}  # lab\n", network(1))).unwrap();
        assert_eq!(read_networks(&path).unwrap()[0].0, network(1));
        std::fs::write(&path, "\nnonsense\n").unwrap();
        assert!(read_networks(&path).unwrap_err().message.contains("networks:2"));
    }

    #[test]
    fn a_name_that_is_neither_hash_nor_file_is_refused() {
        assert_eq!(Pins::of(Some(&network(5).to_string()), &[]).unwrap().0[0].0, network(5));
        assert!(Pins::of(Some("/no/such/file"), &[]).is_err());
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other");
        std::fs::write(&other, "to be or not to be").unwrap();
        let refused = Pins::of(other.to_str(), &[]).unwrap_err();
        assert!(refused.message.ends_with("other is no genesis, or a damaged one"), "{refused}");
    }
}
