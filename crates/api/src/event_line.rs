//! What happens, as lines of text: one JSON object each; the last may be `{"error": …}` instead.

use crate::{ApiError, Code};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line<E> {
    Failed { error: ApiError },
    Happened(E),
}

/// The line of one item, with its line feed.
pub fn encode<E: Serialize>(item: &Result<E, ApiError>) -> Vec<u8> {
    let line = match item {
        Ok(event) => Line::Happened(event),
        Err(error) => Line::Failed { error: error.clone() },
    };
    let mut bytes = serde_json::to_vec(&line).expect("events and errors have a JSON form");
    bytes.push(b'\n');
    bytes
}

/// Reads one line.
///
/// # Errors
/// The error that the line says, or [`Code::Malformed`] if it says nothing known.
pub fn decode<E: DeserializeOwned>(line: &[u8]) -> Result<E, ApiError> {
    match serde_json::from_slice(line) {
        Ok(Line::Happened(event)) => Ok(event),
        Ok(Line::Failed { error }) => Err(error),
        Err(_) => Err(ApiError::new(Code::Malformed, "the node sent an event that cannot be read")
            .next("is it of another version? compare: polity --version, polity node describe")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::{Digest, PublicKey};
    use objects::{Cid, Codec};
    use protocol::{
        Attempt, End, Height, JobEvent, JobId, Outcome, Output, TaskIndex, Trap, Unsettled,
        Verification, draw::SkipReason,
    };

    fn events() -> Vec<JobEvent> {
        let cid = Cid::of(Codec::Raw, b"x");
        let (job, task, node) = (JobId(cid), TaskIndex(3), PublicKey([7; 32]));
        let outcome = Outcome {
            job,
            task,
            end: End::Exit(0),
            fuel: u64::MAX,
            fingerprint: Digest([1; 32]),
            outputs: vec![Output { path: "a/b".into(), cid, size_bytes: 1 }],
            stdout: cid,
            stderr: cid,
        };
        let drawn = Some(Height(9));
        let verification = Verification { k: 2, n: 3 };
        let end = End::Trap(Trap::Unreachable);
        vec![
            JobEvent::Admitted { job, tasks: 1, drawn, verification },
            JobEvent::Admitted { job, tasks: 1, drawn: None, verification },
            JobEvent::Held { after: vec![job] },
            JobEvent::Drawn { drawn: Height(10) },
            JobEvent::Started { task, attempt: Attempt(1), node },
            JobEvent::Skipped { task, node, reason: SkipReason::Offline },
            JobEvent::Outcome { task, node, end },
            JobEvent::Disputed { task },
            JobEvent::Ruled { task, outcome: Some(outcome.digest()), refuted: vec![node] },
            JobEvent::Ruled { task, outcome: None, refuted: Vec::new() },
            JobEvent::Agreed { outcome, executors: vec![node] },
            JobEvent::Unsettled { task, why: Unsettled::Dissent },
            JobEvent::Unsettled { task, why: Unsettled::After(job) },
            JobEvent::UnsettledRange { from: task, count: 9, why: Unsettled::Cancelled },
            JobEvent::Paused,
            JobEvent::Resumed,
            JobEvent::Final { tasks: vec![task], height: Height(10) },
            JobEvent::Finished { settled: 1, unsettled: 0, receipt: cid },
        ]
    }

    #[test]
    fn every_event_and_error_comes_back() {
        for event in events() {
            let line = encode(&Ok(event.clone()));
            assert_eq!(decode(&line), Ok(event), "{}", String::from_utf8_lossy(&line));
        }
        let error = ApiError::new(Code::Expired, "too late").next("send it again");
        assert_eq!(decode::<JobEvent>(&encode::<JobEvent>(&Err(error.clone()))), Err(error));
    }

    #[test]
    fn anything_else_is_malformed() {
        for line in ["", "{}", "[]", "{\"event\":\"later\"}", "{\"error\":1}"] {
            let wrong = decode::<JobEvent>(line.as_bytes()).unwrap_err();
            assert_eq!(wrong.code, Code::Malformed, "{line}");
        }
    }

    #[test]
    fn the_lines_of_events_never_change() {
        let lines: Vec<u8> = events().into_iter().flat_map(|event| encode(&Ok(event))).collect();
        assert_eq!(
            Digest::plain(&lines).to_string(),
            "nllfiq4lohlvxhb27fms34nspudcwvfbrxzcwnsd4ieiugnpm3ha",
            "{}",
            String::from_utf8_lossy(&lines)
        );
        let error = ApiError::new(Code::Expired, "too late");
        let line = "{\"error\":{\"code\":\"expired\",\"message\":\"too late\"}}\n";
        assert_eq!(encode::<JobEvent>(&Err(error)), line.as_bytes());
    }
}
