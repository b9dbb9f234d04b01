//! The decoders of `api`, by name, in the form of the list of `protocol`.

use super::list::Decoder;
use api::{FoundingLine, FrameError, JoinLine, event_line, frame::FrameReader};
use protocol::JobEvent;

/// All of them.
pub(crate) const DECODERS: &[(&str, Decoder)] =
    &[("api_event_line", event), ("api_frames", frames), ("api_line", line)];

fn event(bytes: &[u8]) -> bool {
    let read = event_line::decode::<JobEvent>(bytes);
    if let Ok(event) = &read {
        let again = event_line::decode::<JobEvent>(&event_line::encode(&Ok(event.clone())));
        assert_eq!(again.as_ref(), Ok(event));
    }
    read.is_ok()
}

fn frames(bytes: &[u8]) -> bool {
    let mut reader = FrameReader::default();
    let mut read = || -> Result<(), FrameError> {
        for piece in bytes.chunks(11) {
            reader.push(piece);
            while reader.frame()?.is_some() {}
        }
        reader.finish()
    };
    read().is_ok()
}

fn line(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.parse::<JoinLine>().is_ok() || text.parse::<FoundingLine>().is_ok()
}
