//! Durations, sizes and counts as people type and read them.

use protocol::Time;
use std::{borrow::Cow, time::Duration};

/// Columns of a terminal that is not wide.
pub(crate) const COLUMNS: usize = 80;

/// Reads `90s`, `10m`, `2h`, `1d`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no duration; write one as 500ms, 90s, 10m, 2h or 7d");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let ms = number.checked_mul(unit_ms).filter(|ms| *ms > 0).ok_or_else(wrong)?;
    Ok(Duration::from_millis(ms))
}

/// Reads a number of milliseconds: `20`, and `20ms` too.
pub(crate) fn milliseconds(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("ms").unwrap_or(text);
    let wrong = |_| format!("'{text}' is no number of milliseconds; write one as 20");
    number.parse().map_err(wrong)
}

/// A duration in milliseconds.
pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration as [`duration`] reads it.
pub(crate) fn written(duration: Duration) -> String {
    let ms = ms(duration);
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.into_iter().find(|(unit_ms, _)| ms.is_multiple_of(*unit_ms)) {
        Some((unit_ms, unit)) => format!("{}{unit}", ms / unit_ms),
        None => format!("{ms}ms"),
    }
}

/// Reads `1048576`, `64K`, `512MiB`, `2G`; all in steps of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no size; write one as 1048576, 64K, 512M or 2GiB");
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let shift = match unit {
        "" | "B" => 0,
        "K" | "KB" | "KiB" => 10,
        "M" | "MB" | "MiB" => 20,
        "G" | "GB" | "GiB" => 30,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// Reads `5000`, `5_000`, `200k`, `50M`, `2G`, `1T`; in steps of 1000.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no count; write one as 5000, 200k, 50M or 2G");
    let plain = text.replace('_', "");
    let at = plain.find(|c: char| !c.is_ascii_digit()).unwrap_or(plain.len());
    let (number, unit) = plain.split_at(at);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|count| *count > 0).ok_or_else(wrong)
}

/// `1.4 MiB` and the like.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut at = 0;
    let mut scaled = bytes as f64;
    while scaled >= 1024.0 && at + 1 < UNITS.len() {
        scaled /= 1024.0;
        at += 1;
    }
    if at == 0 { format!("{bytes} B") } else { format!("{scaled:.1} {}", UNITS[at]) }
}

/// `1 task`, `2 tasks`.
pub(crate) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", number(count as u64)) }
}

/// A number with a comma before every three digits: `2,000`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration for people: `850 ms`, `12.3 s`, `4 min`.
pub(crate) fn lasting(duration: Duration) -> String {
    match duration.as_millis() {
        ms @ 0..1_000 => format!("{ms} ms"),
        ms @ 1_000..120_000 => format!("{:.1} s", ms as f64 / 1000.0),
        ms @ 120_000..7_200_000 => format!("{} min", ms / 60_000),
        ms @ 7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        ms => format!("{} days", ms / 86_400_000),
    }
}

/// A moment to the second, as in RFC 3339.
pub(crate) fn moment(time: Time) -> String {
    let text = time.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// At most `most` characters of a name.
pub(crate) fn cut(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.into();
    }
    name.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// At most `most` characters of a name: where it is longer, its middle is left out.
pub(crate) fn cut_middle(name: &str, most: usize) -> String {
    let chars: Vec<char> = name.chars().collect();
    if chars.len() <= most || most == 0 {
        return chars.into_iter().take(most).collect();
    }
    let end = most / 2;
    let start = most - 1 - end;
    chars[..start].iter().chain(&['…']).chain(&chars[chars.len() - end..]).collect()
}

/// Words in lines of at most `width` characters, where words are not longer than that. There is a
/// line at least.
pub(crate) fn words(text: &str, width: usize) -> Vec<String> {
    if text.chars().count() <= width {
        return vec![text.to_string()];
    }
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a line");
        let taken = line.chars().count();
        if taken > 0 && taken + 1 + word.chars().count() > width {
            lines.push(word.to_string());
        } else {
            if taken > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// As [`words`], with words broken that are too long: no line is longer than `width`.
pub(crate) fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in words(text, width) {
        let chars: Vec<char> = line.chars().collect();
        if chars.is_empty() {
            lines.push(line);
            continue;
        }
        lines.extend(chars.chunks(width.max(1)).map(|piece| piece.iter().collect::<String>()));
    }
    lines
}

/// Sentences in lines of at most 80 columns; all but the first are indented.
pub(crate) fn wrap(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a line");
        let width = line.chars().count();
        if width > 0 && width + 1 + word.chars().count() > COLUMNS {
            lines.push(format!("  {word}"));
        } else {
            if width > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

/// The last eight characters of an id: enough to tell ids apart on a screen.
pub(crate) fn short(id: impl ToString) -> String {
    let id = id.to_string();
    id[id.len().saturating_sub(8)..].to_string()
}

/// A text in which nothing moves the cursor, or does worse to a terminal, whoever wrote its parts:
/// lines, columns and our own colours (ECMA-48, SGR) stay.
pub(crate) fn tame(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| protocol::is_printable(c) || matches!(c, '\n' | '\t');
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut tamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = rest.strip_prefix("\x1b[").and_then(|code| {
            let end = code.find(|c: char| !c.is_ascii_digit() && c != ';')?;
            code[end..].starts_with('m').then_some("\x1b[".len() + end + 1)
        });
        let length = colour.unwrap_or(c.len_utf8());
        if colour.is_some() || is_plain(c) {
            tamed.push_str(&rest[..length]);
        } else {
            tamed.extend(c.escape_default());
        }
        rest = &rest[length..];
    }
    Cow::Owned(tamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_does_nothing_to_a_terminal() {
        assert_eq!(tame("a\tb\n\x1b[31;1mred\x1b[0m"), "a\tb\n\x1b[31;1mred\x1b[0m");
        let hostile = "\x1b]52;c;eA==\x07\x1b[2J\r\u{202e}\x1b[1";
        let tamed = tame(hostile);
        assert_eq!(tamed, "\\u{1b}]52;c;eA==\\u{7}\\u{1b}[2J\\r\\u{202e}\\u{1b}[1");
    }

    #[test]
    fn durations_sizes_and_counts_are_read() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        for text in ["500ms", "90s", "10m", "2h", "7d"] {
            assert_eq!(duration(text).map(written).as_deref(), Ok(text));
        }
        assert_eq!(bytes("64K"), Ok(65_536));
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
        assert_eq!(bytes("7"), Ok(7));
        assert_eq!(count("5_000"), Ok(5_000));
        assert_eq!([milliseconds("20"), milliseconds("20ms")], [Ok(20), Ok(20)]);
        assert!(milliseconds("x").unwrap_err().contains("milliseconds"));
        assert_eq!(count("2G"), Ok(2_000_000_000));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_an_example() {
        for text in ["", "5", "s", "-1s", "0s", "1w", "99999999999999999999d", "1.5h"] {
            assert!(duration(text).unwrap_err().contains("90s"), "{text}");
        }
        for text in ["", "0", "-1", "1X", "99999999999999999999", "18446744073709551615G"] {
            assert!(bytes(text).unwrap_err().contains("512M"), "{text}");
            assert!(count(text).unwrap_err().contains("50M"), "{text}");
        }
    }

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1_500_000), "1.4 MiB");
        assert_eq!(lasting(Duration::from_millis(12_345)), "12.3 s");
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(plural(1, "task"), "1 task");
        assert_eq!(plural(0, "task"), "0 tasks");
        assert_eq!(plural(2_000, "task"), "2,000 tasks");
        assert_eq!(moment(Time(951_782_400_123)), "2000-02-29T00:00:00Z");
        assert_eq!(cut("Alder", 5), "Alder");
        assert_eq!(cut("Alders", 5), "Alde…");
    }

    #[test]
    fn what_is_too_long_loses_its_middle_or_goes_on_below() {
        assert_eq!(cut_middle("week-17.csv", 11), "week-17.csv");
        assert_eq!(cut_middle("week-17.csv", 7), "wee…csv");
        assert_eq!(cut_middle("week", 1), "…");
        assert_eq!(cut_middle("week", 0), "");
        assert_eq!(words("a bc def", 4), ["a bc", "def"]);
        assert_eq!(words("abcdef g", 4), ["abcdef", "g"]);
        assert_eq!(lines("abcdef g", 4), ["abcd", "ef", "g"]);
        assert_eq!(words("", 4), [""]);
        assert_eq!(lines("", 4), [""]);
    }

    #[test]
    fn sentences_are_wrapped_between_words() {
        let text = wrap(&"word ".repeat(40));
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
        assert_eq!(text.split_whitespace().count(), 40);
        assert!(text.lines().nth(1).unwrap().starts_with("  word"));
    }
}
