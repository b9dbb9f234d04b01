//! A polity of many owners, of which only the validators' nodes run. All keys follow from numbers.

use anyhow::Context;
use cli::data::DataDir;
use identity::{NetworkId, SecretKey, Signed};
use protocol::{Founder, Genesis, Params, Time};
use std::{
    fs,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

/// Owners with a node each; the nodes of the first ones vote.
pub(crate) struct Polity {
    dir: PathBuf,
    pub(crate) owners: u32,
    pub(crate) validators: u32,
}

impl Polity {
    pub(crate) fn new(dir: PathBuf, owners: u32, validators: u32) -> Self {
        Self { dir, owners, validators }
    }

    /// The key of an owner, counted from 1.
    pub(crate) fn owner(&self, number: u32) -> SecretKey {
        SecretKey::from_seed(seed(b'o', number))
    }

    /// The key of its node.
    pub(crate) fn node(&self, number: u32) -> SecretKey {
        SecretKey::from_seed(seed(b'n', number))
    }

    fn path(&self) -> PathBuf {
        self.dir.join("genesis.polity")
    }

    /// What was founded.
    pub(crate) fn genesis(&self) -> anyhow::Result<Genesis> {
        let path = self.path();
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(Genesis::decode(&bytes)?)
    }

    /// Writes the genesis, and the directories of those who vote.
    pub(crate) fn found(&self) -> anyhow::Result<()> {
        let mut founders = Vec::new();
        let mut held = Vec::new();
        for number in 1..=self.owners {
            let mut addresses = Vec::new();
            if number <= self.validators {
                // All are held until the last one is found, so that none comes twice.
                let (port, sockets) = free_port()?;
                held.push(sockets);
                addresses.push(format!("/ip4/127.0.0.1/udp/{port}/quic-v1"));
                self.write(number, &addresses)?;
            }
            let node = self.node(number).public();
            let founder = Founder { node, name: format!("owner {number}"), addresses };
            founders.push(Signed::new(founder, NetworkId::FOUNDING, &self.owner(number)));
        }
        // Nobody ran the tasks that are agreed on, so nobody could run them again.
        let params = Params { audit_per_mille: 0, ..Params::default() };
        let validators = usize::try_from(self.validators)?;
        let genesis = Genesis::found("load".into(), now()?, founders, validators, params)?;
        let path = self.path();
        fs::write(&path, genesis.encode()).with_context(|| path.display().to_string())
    }

    fn write(&self, number: u32, addresses: &[String]) -> anyhow::Result<()> {
        let data = DataDir::at(self.dir.join(format!("owner-{number}")));
        data.owner_key_or_new(*self.owner(number).seed())?;
        data.node_key_or_new(*self.node(number).seed())?;
        let mut settings = data.settings()?;
        settings.listen = addresses.to_vec();
        data.set_settings(&settings)?;
        Ok(())
    }
}

fn seed(kind: u8, number: u32) -> [u8; 32] {
    let mut seed = [kind; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    seed
}

fn free_port() -> anyhow::Result<(u16, (UdpSocket, TcpListener))> {
    for _ in 0..64 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = udp.local_addr()?.port();
        if let Ok(tcp) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok((port, (udp, tcp)));
        }
    }
    anyhow::bail!("no free port")
}

/// What the clock of this machine says.
pub(crate) fn now() -> anyhow::Result<Time> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    Ok(Time(u64::try_from(now)?))
}
