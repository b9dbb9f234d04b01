//! Outputs of agreed tasks are fetched to the home, so that results can always be downloaded.

use super::{Home, HomeError};
use identity::PublicKey;
use protocol::Outcome;

/// The largest output file.
const FILE_BYTES: u64 = 1 << 30;

impl Home {
    /// Fetches the outputs from those who agree. A failure is no loss: whoever asks for the
    /// outputs later makes the home look for them again.
    pub(super) async fn keep(
        self,
        outcome: Outcome,
        from: Vec<PublicKey>,
    ) -> Result<(), HomeError> {
        let Ok(_place) = self.keeping.acquire().await else { return Ok(()) };
        for root in outcome.objects() {
            if let Err(error) = self.fetcher.fetch_file(root, &from, FILE_BYTES).await {
                tracing::warn!(job = %outcome.job, task = %outcome.task, %root, %error,
                    "an output could not be fetched yet");
            }
        }
        Ok(())
    }
}
