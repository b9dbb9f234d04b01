//! The settings of storage, with their defaults, and the check of their ranges.

use crate::Error;
use protocol::limits;
use serde::{Deserialize, Serialize};

/// Settings of the store. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Largest blob, in bytes. Default: 4194304.
    pub max_blob_bytes: usize,
    /// Size at which a pack is closed and the next one begins, in bytes. Default: 1073741824.
    pub pack_bytes: u64,
    /// Free space that is left to the journals, in bytes. Default: 268435456.
    pub reserve_bytes: u64,
    /// Bytes that are written together, at most, before one sync. Default: 33554432.
    pub batch_bytes: u64,
    /// Bytes after which the index is made durable; that much of the packs is read again after a
    /// crash. Default: 268435456.
    pub checkpoint_bytes: u64,
    /// Memory for the index, in bytes. Default: 67108864.
    pub index_cache_bytes: usize,
    /// Bytes of all blobs, at most; 0: no limit but the disk. Default: 0.
    pub quota_bytes: u64,
    /// Packs are rewritten after a collection whose live share is below this, in percent.
    /// Default: 70.
    pub compact_below_percent: u8,
    /// Memory that a collection may take to mark what is live, in bytes. Default: 268435456.
    pub gc_memory_bytes: usize,
    /// Threads that check what is put against its CID. Default: 2.
    pub checkers: usize,
    /// Threads that read. Default: 4.
    pub readers: usize,
    /// Calls that wait, counted apart for reading and writing. Default: 64.
    pub queue: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_blob_bytes: limits::BLOB_BYTES,
            pack_bytes: 1 << 30,
            reserve_bytes: 256 << 20,
            batch_bytes: 32 << 20,
            checkpoint_bytes: 256 << 20,
            index_cache_bytes: 64 << 20,
            quota_bytes: 0,
            compact_below_percent: 70,
            gc_memory_bytes: 256 << 20,
            checkers: 2,
            readers: 4,
            queue: 64,
        }
    }
}

impl Config {
    /// Refuses settings under which a store could not work.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self) -> Result<(), Error> {
        let in_range = |field, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            let reason = format!("{value} is not between {least} and {most}");
            Err(Error::Config { field, reason })
        };
        in_range("max_blob_bytes", self.max_blob_bytes as u64, 1, 1 << 30)?;
        in_range("pack_bytes", self.pack_bytes, 1 << 10, 1 << 40)?;
        in_range("batch_bytes", self.batch_bytes, 1, 1 << 30)?;
        in_range("checkpoint_bytes", self.checkpoint_bytes, 1, 1 << 40)?;
        in_range("compact_below_percent", self.compact_below_percent.into(), 0, 100)?;
        in_range("gc_memory_bytes", self.gc_memory_bytes as u64, 1 << 10, 1 << 40)?;
        in_range("checkers", self.checkers as u64, 1, 256)?;
        in_range("readers", self.readers as u64, 1, 256)?;
        in_range("queue", self.queue as u64, 1, 1 << 16)
    }
}

/// Settings of a journal. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {
    /// Size at which a segment is closed and the next one begins, in bytes; space is given back
    /// by whole segments. Default: 67108864.
    pub segment_bytes: u64,
    /// Bytes that are written together, at most, before one sync. Default: 16777216.
    pub batch_bytes: u64,
    /// Calls that wait, counted apart for reading and writing. Default: 256.
    pub queue: usize,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, batch_bytes: 16 << 20, queue: 256 }
    }
}

impl JournalConfig {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fields = [
            ("segment_bytes", self.segment_bytes),
            ("batch_bytes", self.batch_bytes),
            ("queue", self.queue as u64),
        ];
        match fields.into_iter().find(|(_, value)| *value == 0) {
            Some((field, _)) => Err(Error::Config { field, reason: "must not be 0".into() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_unknown_fields_are_refused() {
        assert_eq!(Config::default().check(), Ok(()));
        assert_eq!(JournalConfig::default().check(), Ok(()));
        let text = serde_json::to_string(&Config::default()).expect("settings have a text");
        assert_eq!(serde_json::from_str::<Config>(&text).expect("the same"), Config::default());
        assert!(serde_json::from_str::<Config>(r#"{"reserve": 1}"#).is_err());
        assert!(serde_json::from_str::<JournalConfig>(r#"{"segments": 1}"#).is_err());
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let wrong = Config { readers: 0, ..Config::default() };
        assert!(matches!(wrong.check(), Err(Error::Config { field: "readers", .. })));
        let wrong = JournalConfig { queue: 0, ..JournalConfig::default() };
        assert!(matches!(wrong.check(), Err(Error::Config { field: "queue", .. })));
    }
}
