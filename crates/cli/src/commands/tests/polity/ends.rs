//! How a task ends, and what it gives: both follow from its name.

use api::TaskState;
use bytes::Bytes;
use identity::Digest;
use objects::{Cid, file};
use protocol::{End, Height, JobId, Outcome, Output, TaskIndex, Trap, Unsettled};
use std::collections::HashMap;

/// What a task does is in its name: `exit3…`, `trap…`, `lost…`, `late…`, `two…`, or nothing
/// special. About `lie…` and `verdict…` the last node lies; the latter rests on the verdict.
pub(crate) fn end_of(name: &str) -> Result<End, Unsettled> {
    match name {
        _ if name.starts_with("exit3") => Ok(End::Exit(3)),
        _ if name.starts_with("trap") => Ok(End::Trap(Trap::Unreachable)),
        _ if name.starts_with("lost") => Err(Unsettled::NoCandidates),
        _ if name.starts_with("late") => Err(Unsettled::Expired),
        _ => Ok(End::Exit(0)),
    }
}

pub(super) fn state_of(name: &str) -> TaskState {
    match end_of(name) {
        Ok(end) => TaskState::Final { end, height: Height(2), decided: false },
        Err(why) => TaskState::Unsettled { why },
    }
}

/// Every task writes a file of its own name; `two…` writes another one.
pub(crate) fn outcome(
    job: JobId,
    task: TaskIndex,
    end: End,
    name: &str,
    blobs: &mut HashMap<Cid, Bytes>,
) -> Outcome {
    let mut keep = |text: String| {
        let (root, blocks) = file(&Bytes::from(text));
        blobs.extend(blocks.into_iter().map(|block| (block.cid, block.bytes)));
        root
    };
    let mut write = |path: &str| {
        let root = keep(format!("{path} of {name}\n"));
        Output { path: path.into(), cid: root.cid, size_bytes: root.size_bytes }
    };
    let mut outputs = vec![write(name)];
    if name.starts_with("two") {
        outputs.push(write("zz/more"));
    }
    let stdout = keep(format!("said by {name}\n")).cid;
    let stderr = keep(String::new()).cid;
    let fingerprint = Digest([8; 32]);
    Outcome { job, task, end, fuel: 7, fingerprint, outputs, stdout, stderr }
}
