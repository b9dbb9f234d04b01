//! What a client accepts (RFC 9110, section 12.5.1).

/// A form in which content is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// A file as it is, or a listing.
    Plain,
    /// One block.
    Raw,
    /// Blocks in a CAR stream.
    Car,
}

/// What an `Accept` comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Accepted {
    /// None if nothing of it can be given.
    pub(super) format: Option<Format>,
    /// Whether blocks that come again are wanted again, if it says so of a CAR stream.
    pub(super) repeats: Option<bool>,
}

/// Media types that stand for forms which are not given here.
const NOT_GIVEN: [&str; 6] = [
    "application/vnd.ipld.dag-json",
    "application/vnd.ipld.dag-cbor",
    "application/vnd.ipfs.ipns-record",
    "application/x-tar",
    "application/vnd.ipld.dag-pb",
    "application/vnd.ipld.dag-jose",
];

pub(super) const RAW: &str = "application/vnd.ipld.raw";
pub(super) const CAR: &str = "application/vnd.ipld.car";

/// Reads an `Accept`: the form with the highest weight, of equals the first.
pub(super) fn accepted(header: &str) -> Accepted {
    let mut best: Option<(f32, Format)> = None;
    let (mut repeats, mut any) = (None, false);
    for range in header.split(',') {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let media = parts.next().unwrap_or_default();
        if media.is_empty() {
            continue;
        }
        any = true;
        let parameters: Vec<_> = parts
            .filter_map(|part| {
                let (name, value) = part.split_once('=')?;
                Some((name.trim().to_string(), value.trim().trim_matches('"').to_string()))
            })
            .collect();
        let value = |wanted: &str| {
            parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
        };
        let weight = value("q").and_then(|q| q.parse().ok()).unwrap_or(1.0);
        let format = match media.as_str() {
            RAW => Format::Raw,
            CAR if car_can_be(value("version"), value("order"), value("dups")) => {
                repeats = repeats.or(value("dups").map(|dups| dups == "y"));
                Format::Car
            }
            CAR => continue,
            media if NOT_GIVEN.contains(&media) => continue,
            _ => Format::Plain,
        };
        if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, format));
        }
    }
    let format = if any { best.map(|(_, format)| format) } else { Some(Format::Plain) };
    Accepted { format, repeats }
}

/// Whether a CAR stream can be as these parameters say.
pub(super) fn car_can_be(version: Option<&str>, order: Option<&str>, dups: Option<&str>) -> bool {
    matches!(version, None | Some("1"))
        && matches!(order, None | Some("dfs" | "unk" | ""))
        && matches!(dups, None | Some("y" | "n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(header: &str) -> Option<Format> {
        accepted(header).format
    }

    #[test]
    fn the_heaviest_form_that_can_be_given_is_chosen() {
        assert_eq!(format(""), Some(Format::Plain));
        assert_eq!(format("*/*"), Some(Format::Plain));
        assert_eq!(format("text/html,application/xml;q=0.9,*/*;q=0.8"), Some(Format::Plain));
        assert_eq!(format("application/vnd.ipld.raw"), Some(Format::Raw));
        assert_eq!(format("Application/VND.ipld.RAW"), Some(Format::Raw));
        assert_eq!(format("application/vnd.ipld.car;version=1"), Some(Format::Car));
        assert_eq!(
            format("application/vnd.ipld.car;q=0.5, application/vnd.ipld.raw"),
            Some(Format::Raw)
        );
        assert_eq!(
            format("application/vnd.ipld.car;order=foo, application/vnd.ipld.raw;q=0.1"),
            Some(Format::Raw)
        );
        assert_eq!(format("application/vnd.ipld.raw;q=0, */*;q=0.1"), Some(Format::Plain));
        assert_eq!(format("application/vnd.ipld.dag-json, */*"), Some(Format::Plain));
    }

    #[test]
    fn what_is_not_given_is_not_accepted() {
        for header in [
            "application/vnd.ipld.dag-json",
            "application/x-tar",
            "application/vnd.ipfs.ipns-record",
            "application/vnd.ipld.car;version=2",
            "application/vnd.ipld.car;order=xyz",
            "application/vnd.ipld.raw;q=0",
        ] {
            assert_eq!(format(header), None, "{header}");
        }
    }

    #[test]
    fn a_stream_may_be_asked_to_repeat_itself() {
        let repeats = |header| accepted(header).repeats;
        assert_eq!(repeats("application/vnd.ipld.car"), None);
        assert_eq!(repeats("application/vnd.ipld.car; order=dfs; dups=y"), Some(true));
        assert_eq!(repeats("application/vnd.ipld.car; dups=\"n\""), Some(false));
        assert_eq!(repeats("*/*"), None);
    }
}
