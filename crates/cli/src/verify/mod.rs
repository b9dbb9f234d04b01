//! Receipts and evidence, checked without node or network.

mod evidence;
mod files;
mod owners;
mod pins;
mod rerun;
mod several;
mod show;
pub(crate) mod shows;
mod stock;

pub(crate) use evidence::{Judged, Proven, prove};
pub(crate) use files::{Difference, Files};
pub(crate) use pins::Pins;
pub(crate) use rerun::{Materials, Rerun, Tell};
pub(crate) use several::Several;

use crate::{
    exit::Exit,
    failure::Failure,
    job::{layout::RECEIPT, results},
    launch::Launch,
    text,
    threads::Threads,
};
use protocol::{Evidence, Receipt, ReceiptError, Report, limits};
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
    /// What came of running tasks again, if that was asked for.
    pub(crate) rerun: Option<Rerun>,
}

/// What came of checking a file.
#[derive(Debug)]
pub(crate) enum Checked {
    /// It begins like evidence.
    Evidence(Box<Judged>),
    /// Anything else should be a receipt.
    Receipt(Box<Verdict>),
    /// A directory whose results have several receipts.
    Several(Box<Several>),
}

/// Checks what is at `place`: a file, whichever it is, or a directory of results with all its
/// receipts.
pub(crate) fn check_at(
    place: &Path,
    outputs: Option<&Path>,
    pins: &Pins,
) -> Result<Checked, Failure> {
    if let Some((dir, manifest)) = several::manifest_of(place, outputs)? {
        return Ok(Checked::Several(Box::new(several::check(dir, &manifest, pins)?)));
    }
    let path = if place.is_dir() { place.join(RECEIPT) } else { place.into() };
    match results::job_of(place).filter(|_| !path.exists()) {
        Some(job) => {
            let (job, dir) = (text::short(job), place.display());
            Err(Failure::usage(format!("{dir} has no receipt yet"))
                .next(format!("fetch the rest with: polity job get {job} -o {dir}")))
        }
        None => check_any(&path, outputs, pins),
    }
}

/// Checks the file at `path`, whichever it is.
pub(crate) fn check_any(
    path: &Path,
    outputs: Option<&Path>,
    pins: &Pins,
) -> Result<Checked, Failure> {
    let bytes = read(path)?;
    if Evidence::begins(&bytes) {
        let held = evidence::prove(&bytes, pins);
        return Ok(Checked::Evidence(Box::new(Judged { path: path.into(), held })));
    }
    Ok(Checked::Receipt(Box::new(check_bytes(&bytes, path, outputs, pins)?)))
}

impl Checked {
    /// Runs the tasks of a file that holds again, on this machine.
    pub(crate) fn rerun(
        &mut self,
        materials: &Materials,
        launch: &dyn Launch,
        tell: Tell<'_>,
    ) -> Result<(), Failure> {
        match self {
            Self::Evidence(judged) => {
                if let Ok(proven) = &mut judged.held {
                    proven.rerun = Some(rerun::evidence(proven, materials, launch, tell)?);
                }
            }
            Self::Receipt(verdict) => {
                if let Ok(held) = &mut verdict.held {
                    held.rerun = Some(rerun::receipt(held, materials, launch, tell)?);
                }
            }
            Self::Several(several) => several.rerun(materials, launch, tell)?,
        }
        Ok(())
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Evidence(judged) => judged.exit(),
            Self::Receipt(verdict) => verdict.exit(),
            Self::Several(several) => several.exit(),
        }
    }

    /// The whole verdict for programs.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Evidence(judged) => judged.json(),
            Self::Receipt(verdict) => verdict.json(),
            Self::Several(several) => several.json(),
        }
    }

    /// The whole verdict for people, without colours.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Evidence(judged) => judged.text(),
            Self::Receipt(verdict) => verdict.text(),
            Self::Several(several) => several.text(),
        }
    }
}

/// Checks the receipt at `path`. The files are looked for in `outputs`, else beside it.
pub(crate) fn check(path: &Path, outputs: Option<&Path>, pins: &Pins) -> Result<Verdict, Failure> {
    check_bytes(&read(path)?, path, outputs, pins)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    crate::data::read_bounded(path, limits::RECEIPT_BYTES as u64)
        .map_err(|error| Failure::file(path, &error))
}

fn check_bytes(
    bytes: &[u8],
    path: &Path,
    outputs: Option<&Path>,
    pins: &Pins,
) -> Result<Verdict, Failure> {
    let held = match hold(bytes, pins) {
        Ok((receipt, report, pinned_by)) => {
            let files = Files::check(&receipt.body, path, outputs)?;
            Ok(Held { receipt, report, pinned_by, files, rerun: None })
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
    let crew = Threads::of_this_machine();
    let receipt = Receipt::decode_with(bytes, &crew)?;
    let (pin, pinned_by) = pins.choose(receipt.body.genesis.network());
    let report = receipt.verify_with(pin, &crew)?;
    Ok((receipt, report, pinned_by))
}

impl Verdict {
    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match &self.held {
            Err(_) => Exit::Unverified,
            Ok(held) if held.files.as_ref().is_some_and(Files::is_wrong) => Exit::Unverified,
            Ok(held) => match held.rerun.as_ref().map_or(Exit::Success, Rerun::exit) {
                Exit::Success if held.pinned_by.is_none() => Exit::Unpinned,
                exit => exit,
            },
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
