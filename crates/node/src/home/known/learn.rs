//! What another member of the cluster wrote the receipt of is known here too.

use super::entries_of;
use crate::home::{Home, HomeError, receipt::aside};
use identity::PublicKey;
use objects::Cid;
use protocol::{JobId, Receipt};

/// The largest receipt that is looked into. One of 200,000 tasks, which are all that is remembered,
/// has half of that.
const RECEIPT_BYTES: u64 = 32 << 20;

impl Home {
    /// Finds the results of a finished job again, whoever wrote its receipt. The voters of a cluster
    /// keep copies of receipts and outputs; for the others there is nothing to find. Receipts are
    /// read one after the other. What cannot be read is not known, which costs time and nothing else.
    pub(in crate::home) async fn learn(self, job: JobId, receipt: Cid) -> Result<(), HomeError> {
        let Ok(_turn) = self.known.learning.acquire().await else { return Ok(()) };
        // Whoever writes it writes this down as well.
        if self.known.is_writing(&job) {
            return Ok(());
        }
        match self.known.receipt(&job).await {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(()),
            Err(error) => {
                tracing::warn!(%job, %error, "its results will not be found again");
                return Ok(());
            }
        }
        let Some(others) = self.other_voters() else { return Ok(()) };
        // A majority had it before the job counted as finished; this may be one of the rest.
        let bytes = match self.fetcher.read_file(receipt, &others, RECEIPT_BYTES).await {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::debug!(%job, %receipt, %error, "its results will not be found again");
                return Ok(());
            }
        };
        let network = self.chain.network();
        let found = aside(move || {
            let read = Receipt::decode(&bytes).map_err(|error| error.to_string())?;
            let report = read.verify(Some(network)).map_err(|error| error.to_string())?;
            Ok::<_, String>(entries_of(&read, &report, receipt))
        });
        let found = match found.await? {
            Ok(found) => found,
            Err(reason) => {
                tracing::error!(%job, %receipt, reason, "the receipt does not verify");
                return Ok(());
            }
        };
        if let Some(written) = self.known.write(job, found).await
            && let Err(error) = self.known.enter(written).await
        {
            tracing::warn!(%job, %error, "its results will not be found again");
        }
        Ok(())
    }

    /// The voters of this node's cluster but itself; `None` if it is none.
    fn other_voters(&self) -> Option<Vec<PublicKey>> {
        let (me, status) = (self.key.public(), self.cluster.status());
        let voters = status.members.iter().filter(|member| member.votes).map(|member| member.node);
        let (mine, others): (Vec<_>, Vec<_>) = voters.partition(|node| *node == me);
        (!mine.is_empty()).then_some(others)
    }
}
