//! Receipts, checked without node or network.

mod files;
mod pins;
mod show;

pub(crate) use files::{Difference, Files};
pub(crate) use pins::Pins;

use crate::{exit::Exit, failure::Failure};
use protocol::{Receipt, ReceiptError, Report, limits};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What came of checking a receipt.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it says, if it holds.
    pub(crate) held: Result<Held, ReceiptError>,
}

/// A receipt that holds.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) receipt: Receipt,
    pub(crate) report: Report,
    /// What pins its network, if anything does.
    pub(crate) pinned_by: Option<String>,
    /// The files beside it, if there are any.
    pub(crate) files: Option<Files>,
}

/// Checks the receipt at `path`. The files are looked for in `outputs`, else beside it.
pub(crate) fn check(path: &Path, outputs: Option<&Path>, pins: &Pins) -> Result<Verdict, Failure> {
    let bytes = crate::data::read_bounded(path, limits::RECEIPT_BYTES as u64)
        .map_err(|error| Failure::file(path, &error))?;
    let held = match hold(&bytes, pins) {
        Ok((receipt, report, pinned_by)) => {
            let files = Files::check(&receipt.body, path, outputs)?;
            Ok(Held { receipt, report, pinned_by, files })
        }
        Err(error) => Err(error),
    };
    Ok(Verdict { path: path.into(), held })
}

/// Checks everything that needs no files.
pub(crate) fn hold(
    bytes: &[u8],
    pins: &Pins,
) -> Result<(Receipt, Report, Option<String>), ReceiptError> {
    let receipt = Receipt::decode(bytes)?;
    let (pin, pinned_by) = pins.choose(receipt.body.genesis.network());
    let report = receipt.verify(pin)?;
    Ok((receipt, report, pinned_by))
}

impl Verdict {
    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match &self.held {
            Err(_) => Exit::Unverified,
            Ok(held) if held.files.as_ref().is_some_and(Files::is_wrong) => Exit::Unverified,
            Ok(held) if held.pinned_by.is_none() => Exit::Unpinned,
            Ok(_) => Exit::Success,
        }
    }

    /// The whole verdict for programs.
    pub(crate) fn json(&self) -> Value {
        let exit = self.exit().code();
        match &self.held {
            Err(error) => json!({
                "receipt": self.path, "holds": false, "reason": error.to_string(), "exit": exit,
            }),
            Ok(held) => {
                let mut value = held.json();
                value["receipt"] = json!(self.path);
                value["exit"] = json!(exit);
                value
            }
        }
    }

    /// The whole verdict for people, without colours.
    pub(crate) fn text(&self) -> String {
        match &self.held {
            Err(error) => format!("FAIL: {} ({error})\n", self.path.display()),
            Ok(held) => held.text(),
        }
    }
}
