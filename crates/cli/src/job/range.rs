//! Ranges of numbers as people write them: `1..10`, `0..100:5`, `0.1..0.5:0.1`. Decimal text, exact:
//! what a task is given is what was written, never the nearest binary fraction.

use protocol::Range;

/// Digits of a number, before and after its point together.
const DIGITS: usize = 18;

const HOW: &str = "write a range as 1..10 (both ends are in it), 0..100:5 or 0.1..0.5:0.1";

/// A number: `units` times ten to the power of minus `scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    units: i128,
    scale: u32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (minus, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let pointless = !digits.contains('.');
        if whole.is_empty() || !plain(whole) || !plain(part) || (part.is_empty() && !pointless) {
            return None;
        }
        if whole.len() + part.len() > DIGITS {
            return None;
        }
        let units: i128 = format!("{whole}{part}").parse().ok()?;
        let scale = u32::try_from(part.len()).ok()?;
        Some(Self { units: if minus { -units } else { units }, scale })
    }

    /// The same number in units of ten to the power of minus `scale`, which is not less.
    fn at(self, scale: u32) -> i128 {
        self.units * 10_i128.pow(scale - self.scale)
    }
}

/// Reads a range, both ends in it if the step meets them; `None` if the text is none, but a value of
/// its own.
///
/// # Errors
/// If it looks like one, and is not right.
pub(crate) fn parse(text: &str) -> Option<Result<Range, String>> {
    let (first, rest) = text.split_once("..")?;
    let (last, step) = match rest.split_once(':') {
        Some((last, step)) => (last, Some(step)),
        None => (rest, None),
    };
    let numeric =
        |text: &str| text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit());
    if !numeric(first) && !numeric(last) {
        return None;
    }
    Some(of(first, last, step).ok_or_else(|| format!("'{text}' is no range; {HOW}")))
}

fn of(first: &str, last: &str, step: Option<&str>) -> Option<Range> {
    let width = [first, last].into_iter().map(padded).max().unwrap_or(0);
    let (first, last) = (Decimal::parse(first)?, Decimal::parse(last)?);
    let step = match step {
        Some(step) => Decimal::parse(step).filter(|step| step.units > 0)?,
        None => Decimal { units: 1, scale: 0 },
    };
    let scale = first.scale.max(last.scale).max(step.scale);
    let (first, last, step) = (first.at(scale), last.at(scale), step.at(scale));
    let count = u64::try_from((last - first).abs() / step + 1).ok()?;
    let step = if last < first { -step } else { step };
    let width = if scale == 0 { u32::try_from(width).ok()? } else { 0 };
    let (first, step) = (i64::try_from(first).ok()?, i64::try_from(step).ok()?);
    Some(Range { first, step, count, scale, width })
}

/// The width of a whole number that begins with a needless zero, else 0.
fn padded(text: &str) -> usize {
    let digits = text.trim_start_matches(['-', '+']);
    if digits.len() > 1 && digits.starts_with('0') { text.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let range = parse(text).expect("a range").expect("a right one");
        (0..range.count).map(|at| range.value(at)).collect()
    }

    #[test]
    fn both_ends_are_in_it_if_the_step_meets_them() {
        assert_eq!(values("1..4"), ["1", "2", "3", "4"]);
        assert_eq!(values("-1..1"), ["-1", "0", "1"]);
        assert_eq!(values("0..10:4"), ["0", "4", "8"]);
        assert_eq!(values("7..7"), ["7"]);
        assert_eq!(values("3..1"), ["3", "2", "1"]);
        assert_eq!(values("1..0:0.5"), ["1", "0.5", "0"]);
    }

    #[test]
    fn decimals_are_exact_and_have_no_needless_zeros() {
        assert_eq!(values("0.1..0.5:0.1"), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(values("0..1:0.25"), ["0", "0.25", "0.5", "0.75", "1"]);
        assert_eq!(values("0.50..1.50"), ["0.5", "1.5"]);
        assert_eq!(values("-0.1..0.1:0.1"), ["-0.1", "0", "0.1"]);
        assert_eq!(values("0..1:0.1").len(), 11, "no tenth is lost to rounding");
    }

    #[test]
    fn zeros_before_a_whole_number_are_kept() {
        assert_eq!(values("08..11"), ["08", "09", "10", "11"]);
        assert_eq!(values("1..010:9"), ["001", "010"]);
    }

    #[test]
    fn what_is_no_range_is_a_value_and_what_looks_like_one_is_refused() {
        for text in ["a", "1.5", "../data", "v1..v2", "a/../b", ""] {
            assert_eq!(parse(text), None, "{text}");
        }
        let digits = "1234567890123456789..1234567890123456790";
        for text in
            ["1..", "1..=9", "1..x", "x..9", "1..9:0", "1..9:-1", "1..9:", "1e3..2e3", digits]
        {
            let refused = parse(text).expect("it looks like one").unwrap_err();
            assert!(refused.contains("1..10"), "{refused}");
        }
    }

    #[test]
    fn the_largest_ranges_are_counted_and_not_made() {
        let range = parse("0..999999999999999999").unwrap().unwrap();
        assert_eq!(range.count, 1_000_000_000_000_000_000);
        let fine = parse("0..99999999999999999:0.00000000000000001").unwrap();
        assert!(fine.is_err(), "more than can be counted");
    }
}
