//! Whether this validator may vote: never twice under one key.

use crate::chain::{Chain, catch_up};
use anyhow::{Context, bail};
use futures::StreamExt;
use identity::PublicKey;
use protocol::{
    Height,
    port::{PeerEvent, Streams},
};
use std::{fs::File, path::Path, sync::Arc};

/// The file that says that this directory has a journal of votes.
const MARK: &str = "validator";

/// Prepares the journal of votes. One that is there is used. One that is not is made only if the
/// chain, asked of enough other validators, shows no trace of this key: else this key voted from
/// another directory, and could contradict itself.
///
/// # Errors
/// If this validator must not vote.
pub(crate) async fn may_vote(
    chain: &Chain,
    streams: &Arc<dyn Streams>,
    me: PublicKey,
    root: &Path,
    dir: &Path,
) -> anyhow::Result<()> {
    if consensus::journal_exists(dir)? {
        return Ok(());
    }
    let gone = || consensus::Error::JournalMissing { dir: dir.to_path_buf() };
    let mark = root.join(MARK);
    if mark.try_exists().with_context(|| format!("cannot look for {}", mark.display()))? {
        bail!(gone());
    }
    ask_others(chain, streams, me).await?;
    if has_trace(chain, me).await? {
        bail!(gone());
    }
    consensus::create_journal(dir)?;
    // After the journal: a crash in between finds the journal, and needs no mark.
    write_mark(root, &mark).with_context(|| format!("cannot write {}", mark.display()))
}

/// Says, outside the journal's own directory, that there is a journal.
fn write_mark(root: &Path, mark: &Path) -> std::io::Result<()> {
    std::fs::write(mark, "this node votes; its journal is in the directory 'consensus'\n")?;
    File::open(mark)?.sync_all()?;
    File::open(root)?.sync_all()
}

/// Takes the chain from so many other validators that any quorum has an honest one among them.
async fn ask_others(
    chain: &Chain,
    streams: &Arc<dyn Streams>,
    me: PublicKey,
) -> anyhow::Result<()> {
    let validators = chain.genesis().validators.clone();
    let enough = validators.len() - 1 - chain.genesis().tolerated_faults();
    let mut asked = std::collections::BTreeSet::new();
    let mut peers = streams.events();
    let mut said = None;
    while asked.len() < enough {
        // Peers come and go, which changes nothing here.
        if said.replace(asked.len()) != Some(asked.len()) {
            let asked = asked.len();
            tracing::info!(asked, enough, "waiting for other validators before voting");
        }
        let Some(event) = peers.next().await else { bail!("the network closed") };
        let PeerEvent::Up(peer) = event else { continue };
        if peer != me
            && validators.contains(&peer)
            && catch_up(chain, streams.as_ref(), peer).await?
        {
            asked.insert(peer);
        }
    }
    Ok(())
}

/// Whether a block or a certificate bears this key.
async fn has_trace(chain: &Chain, me: PublicKey) -> anyhow::Result<bool> {
    let place = chain.genesis().validators.iter().position(|validator| *validator == me);
    let head = *chain.head().borrow();
    for height in 1..=head.0 {
        let Some((block, certificate)) = chain.block(Height(height)).await? else { break };
        let signed = certificate.is_some_and(|certificate| {
            certificate.signatures.iter().any(|(signer, _)| Some(*signer as usize) == place)
        });
        if signed || block.header.proposer == Some(me) {
            return Ok(true);
        }
    }
    Ok(false)
}
