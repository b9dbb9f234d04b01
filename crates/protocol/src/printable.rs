//! Texts of others, on their way to a screen or a log.

/// What somebody else said, fit for people: so many characters at most, on one line, without control
/// characters and without those that turn the direction in which a text is read (Unicode TR36, 3.5).
pub fn printable(text: &str, most: usize) -> String {
    let one_line = |c: char| if c.is_whitespace() { ' ' } else { c };
    text.chars().map(one_line).filter(|c| is_printable(*c)).take(most).collect()
}

/// Whether a character only stands where it is put.
pub fn is_printable(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_is_printed_does_nothing_to_the_screen() {
        assert_eq!(
            printable("no\u{1b}[2J\u{7}\u{9b}1m\u{202e}room\r\nhere", 64),
            "no[2J1mroom  here"
        );
        assert_eq!(printable(&"ä".repeat(100), 5), "äääää");
    }
}
