//! A machine that is stopped, and that goes on alone with what is left of its owner's cluster: its own
//! log, or a copy that was kept elsewhere.
//!
//! The new log is written beside the old one and takes its place in one step of the file system, so
//! that whoever is killed on the way leaves one or the other. The old one is kept.

use crate::{chain::Chain, clock::SystemClock, config::Config};
use anyhow::{Context, bail, ensure};
use api::backup::{self, Backup};
use cli::{Agree, Began, HeldCluster, data::DataDir};
use cluster::{ClusterId, Held, Image};
use identity::PublicKey;
use protocol::{
    Genesis, Time,
    port::{Clock, Log},
};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};
use storage::Journal;
use work::Work;

/// The directory of the cluster's log.
const CLUSTER: &str = "cluster";

/// A directory whose node is stopped.
struct Machine {
    root: PathBuf,
    me: PublicKey,
    genesis: Genesis,
    labels: BTreeMap<String, String>,
    now: Time,
}

/// See [`cli::Launch::recover`].
pub(crate) async fn recover(data: &DataDir, agree: Agree<'_>) -> anyhow::Result<Option<Began>> {
    let machine = Machine::of(data)?;
    let dir = machine.root.join(CLUSTER);
    if !dir.try_exists().with_context(|| dir.display().to_string())? {
        bail!("{} does not exist: this machine was in no cluster", dir.display());
    }
    // Nobody else has the directory from here on.
    let log = Journal::open(&dir)?;
    let Some(held) = Held::<Work>::read(&log, machine.me).await? else {
        bail!("this machine was not let into a cluster yet; join with: polity up --join -");
    };
    ensure!(
        held.members.contains_key(&machine.me),
        "this machine was removed from the cluster; it joins with an empty directory once a member \
         says: polity cluster add {}",
        machine.me
    );
    ensure!(
        held.members.len() > 1,
        "this machine is all there is of its cluster; start it with: polity up"
    );
    if !agree(&machine.shown(&held)) {
        return Ok(None);
    }
    machine.begin(held, Some(log)).await.map(Some)
}

/// See [`cli::Launch::restore`].
pub(crate) async fn restore(
    data: &DataDir,
    file: &Path,
    agree: Agree<'_>,
) -> anyhow::Result<Option<Began>> {
    let machine = Machine::of(data)?;
    let dir = machine.root.join(CLUSTER);
    let log = match dir.try_exists().with_context(|| dir.display().to_string())? {
        true => Some(Journal::open(&dir)?),
        false => None,
    };
    if let Some(log) = &log {
        machine.check_unused(log).await?;
    }
    let read = || backup::read(&mut BufReader::new(File::open(file)?), machine.genesis.network());
    let copy = read().with_context(|| file.display().to_string())?;
    machine.check_owner(copy.head.by).await?;
    let held = held_in(copy)?;
    ensure!(
        held.mind.network() == machine.genesis.network(),
        "the copy is of another network than this directory"
    );
    if !agree(&machine.shown(&held)) {
        return Ok(None);
    }
    machine.begin(held, log).await.map(Some)
}

fn held_in(Backup { head, origin, state }: Backup) -> anyhow::Result<Held<Work>> {
    let head = head.payload;
    let image = Image {
        cluster: ClusterId(head.cluster),
        name: head.name,
        term: head.term,
        index: head.index,
        now: head.at,
        members: head.members.into_iter().collect(),
        origin: origin.into(),
        state: state.into(),
    };
    Ok(Held::of(image)?)
}

impl Machine {
    fn of(data: &DataDir) -> anyhow::Result<Self> {
        let root = data.root().to_path_buf();
        let (Some(genesis), Some(key)) = (data.genesis()?, data.node_key()?) else {
            bail!("{} belongs to no network: no node ever ran there", root.display());
        };
        let labels = Config::load(&root)?.labels;
        Ok(Self { root, me: key.public(), genesis, labels, now: SystemClock::new().now() })
    }

    fn shown(&self, held: &Held<Work>) -> HeldCluster {
        HeldCluster {
            cluster: held.cluster.to_string(),
            name: held.name.clone(),
            me: self.me,
            members: held.members.clone(),
            term: held.term,
            index: held.index,
            at: held.now,
            jobs: held.mind.jobs().count(),
        }
    }

    /// Jobs of a cluster of its own would be lost: a machine that has any is not used for another's.
    async fn check_unused(&self, log: &Journal) -> anyhow::Result<()> {
        let Some(held) = Held::<Work>::read(log, self.me).await? else { return Ok(()) };
        let jobs = held.mind.jobs().count() + held.mind.finished().count();
        ensure!(
            held.members.len() <= 1 && jobs == 0,
            "this machine has a cluster's log of its own (cluster {}, {} members, {jobs} jobs): use \
             a machine that has none, or go on with that one: polity cluster recover",
            held.cluster,
            held.members.len()
        );
        Ok(())
    }

    /// The copy counts if a node of the same owner made it.
    async fn check_owner(&self, by: PublicKey) -> anyhow::Result<()> {
        let log: Arc<dyn Log> = Arc::new(Journal::open(self.root.join("chain"))?);
        let chain = Chain::open(self.genesis.clone(), log).await?;
        let ledger = chain.ledger();
        let owner = |node: &PublicKey| ledger.roster().node(node).map(|record| record.owner);
        let Some(mine) = owner(&self.me) else {
            bail!("this machine is not admitted, as far as it knows; start it with --join first");
        };
        ensure!(
            owner(&by) == Some(mine),
            "the copy was made by {by}, which is no node of this machine's owner"
        );
        Ok(())
    }

    /// Writes the new log and puts it in its place.
    async fn begin(&self, held: Held<Work>, log: Option<Journal>) -> anyhow::Result<Began> {
        let dir = self.root.join(CLUSTER);
        let draft = self.root.join(format!("{CLUSTER}.draft-{}", self.now.0));
        // It is ours, and of no use then; what could not be removed is in nobody's way.
        let written = self.write(held, &draft).await;
        let cluster = written.inspect_err(|_| drop(fs::remove_dir_all(&draft)))?;
        place(&draft, &dir, log.is_some(), sync)?;
        let mut kept = None;
        if log.is_some() {
            let before = self.root.join(format!("{CLUSTER}.before-{}", self.now.0));
            renameat_with(CWD, &draft, CWD, &before, RenameFlags::NOREPLACE)
                .with_context(|| format!("the old log is in {}", draft.display()))?;
            sync(&self.root)?;
            kept = Some(before);
        }
        Ok(Began { cluster: cluster.to_string(), kept })
    }

    async fn write(&self, held: Held<Work>, draft: &Path) -> anyhow::Result<ClusterId> {
        let mut drawn = [0; 8];
        getrandom::fill(&mut drawn).context("no randomness")?;
        let log = Journal::open(draft)?;
        let new = (self.now, u64::from_be_bytes(drawn));
        Ok(held.begin_alone(&log, self.me, self.labels.clone(), new).await?)
    }
}

/// Puts the new log in its place. If that cannot be, the new one is removed; the old one never is.
fn place(
    draft: &Path,
    dir: &Path,
    is_there: bool,
    sync: impl Fn(&Path) -> io::Result<()>,
) -> anyhow::Result<()> {
    let Err((error, swapped)) = swap(draft, dir, is_there, sync) else { return Ok(()) };
    let error = anyhow::Error::new(error).context(dir.display().to_string());
    Err(match swapped {
        Swapped::No => {
            drop(fs::remove_dir_all(draft));
            error
        }
        Swapped::Yes if is_there => {
            error.context(format!("the old log is in {}; keep it", draft.display()))
        }
        Swapped::Yes => error,
    })
}

/// Whether two directories have each other's names by now.
enum Swapped {
    Yes,
    No,
}

/// Puts a directory in the place of another one, which has the first one's name then, or where there
/// is none; in one step, durably.
fn swap(
    draft: &Path,
    dir: &Path,
    is_there: bool,
    sync: impl Fn(&Path) -> io::Result<()>,
) -> Result<(), (io::Error, Swapped)> {
    let root = dir.parent().unwrap_or(Path::new("."));
    sync(root).map_err(|error| (error, Swapped::No))?;
    let how = if is_there { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    renameat_with(CWD, draft, CWD, dir, how).map_err(|error| (error.into(), Swapped::No))?;
    sync(root).map_err(|error| (error, Swapped::Yes))
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::{NetworkId, SecretKey, Signed};
    use protocol::{Founder, Params};
    use sim::streams::Mesh;

    fn machine(root: &Path) -> Machine {
        let key = SecretKey::from_seed([1; 32]);
        let me = key.public();
        let founder = Founder { node: me, name: "Elm".into(), addresses: Vec::new() };
        let founder = Signed::new(founder, NetworkId::FOUNDING, &key);
        let found = Genesis::found("test".into(), Time(1), vec![founder], 1, Params::default());
        let (genesis, now) = (found.unwrap(), SystemClock::new().now());
        Machine { root: root.into(), me, genesis, labels: BTreeMap::new(), now }
    }

    /// Runs a cluster on the log of a machine, and gives what it says of itself.
    async fn status(machine: &Machine) -> cluster::ClusterStatus {
        let parts = cluster::Parts {
            config: cluster::Config::default(),
            me: machine.me,
            labels: BTreeMap::new(),
            initial: Work::new(work::Config::default(), machine.me, machine.genesis.network()),
            begin: cluster::Begin::Found { name: "home".into() },
            log: Arc::new(Journal::open(machine.root.join(CLUSTER)).unwrap()),
            clock: Arc::new(SystemClock::new()),
            streams: Mesh::new().node(machine.me),
            admits: Arc::new(|_| true),
            life: 1,
        };
        let (cluster, _effects) = cluster::start(parts).await.unwrap();
        let status = cluster.status();
        cluster.shutdown().await.unwrap();
        status
    }

    async fn held(machine: &Machine) -> (Held<Work>, Journal) {
        let log = Journal::open(machine.root.join(CLUSTER)).unwrap();
        (Held::read(&log, machine.me).await.unwrap().unwrap(), log)
    }

    #[tokio::test]
    async fn until_the_new_log_is_whole_the_old_one_stays_in_its_place_and_then_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let machine = machine(dir.path());
        let old = status(&machine).await;
        // Killed when it had written everything but the exchange.
        let (left, log) = held(&machine).await;
        let draft = dir.path().join("cluster.draft-1");
        machine.write(left, &draft).await.unwrap();
        drop(log);
        let same = status(&machine).await;
        assert_eq!(same.cluster, old.cluster);
        assert!(same.last >= old.last);

        let (left, log) = held(&machine).await;
        let index = left.index;
        let began = machine.begin(left, Some(log)).await.unwrap();
        let new = status(&machine).await;
        assert_eq!(new.cluster.unwrap().to_string(), began.cluster);
        assert_ne!(new.cluster, old.cluster);
        assert!(new.last > index, "it leads again");
        let kept = began.kept.unwrap();
        let kept = Held::<Work>::read(&Journal::open(kept).unwrap(), machine.me).await;
        assert_eq!(kept.unwrap().map(|held| (Some(held.cluster), held.index)), {
            Some((old.cluster, index))
        });
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_taken_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let machine = machine(dir.path());
        let old = status(&machine).await;
        let (left, log) = held(&machine).await;
        drop(log);
        // Somebody began a log there meanwhile.
        assert!(machine.begin(left, None).await.is_err());
        assert_eq!(status(&machine).await.cluster, old.cluster);
        let names = fs::read_dir(dir.path()).unwrap().flatten();
        let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
        assert_eq!(names, [CLUSTER], "no draft is left");
    }

    /// The second time that it is asked for it fails: after the exchange.
    #[test]
    fn the_old_log_is_kept_when_the_exchange_may_not_last() {
        let dir = tempfile::tempdir().unwrap();
        let (draft, place) = (dir.path().join("cluster.draft-1"), dir.path().join(CLUSTER));
        for (path, says) in [(&draft, "new"), (&place, "old")] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("log"), says).unwrap();
        }
        let asked = std::cell::Cell::new(0);
        let sync = |_: &Path| match asked.replace(asked.get() + 1) {
            0 => Ok(()),
            _ => Err(io::Error::other("the disk is on fire")),
        };
        let failed = super::place(&draft, &place, true, sync).unwrap_err();
        assert!(failed.to_string().contains("the old log is in"), "{failed:#}");
        assert_eq!(fs::read_to_string(place.join("log")).unwrap(), "new");
        assert_eq!(fs::read_to_string(draft.join("log")).unwrap(), "old");
    }
}
