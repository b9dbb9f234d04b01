//! The name under which a browser would save an answer (RFC 6266 and 8187).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for itself in a name that is given in full.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A `Content-Disposition`: whether to save it, and under what name.
pub(super) fn disposition(attachment: bool, name: Option<&str>) -> String {
    let kind = if attachment { "attachment" } else { "inline" };
    let Some(name) = name else { return kind.into() };
    let plain: String = name
        .chars()
        .map(|c| if matches!(c, ' '..='~') && !"\"\\%".contains(c) { c } else { '_' })
        .collect();
    if plain == name {
        return format!("{kind}; filename=\"{plain}\"");
    }
    let full = utf8_percent_encode(name, KEPT);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{full}")
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn names_are_given_in_ascii_and_where_needed_in_full() {
        assert_eq!(disposition(false, None), "inline");
        assert_eq!(disposition(true, Some("a b.txt")), "attachment; filename=\"a b.txt\"");
        assert_eq!(
            disposition(false, Some("testтест.jpg")),
            "inline; filename=\"test____.jpg\"; filename*=UTF-8''test%D1%82%D0%B5%D1%81%D1%82.jpg"
        );
        assert_eq!(
            disposition(true, Some("a\"\r\nx: y")),
            "attachment; filename=\"a___x: y\"; filename*=UTF-8''a%22%0D%0Ax%3A%20y"
        );
    }
}
