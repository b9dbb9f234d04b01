//! What a task of a sweep over parameters is called: readable, and safe as the name of a file.

use super::grid::Case;
use identity::Digest;

/// Bytes of a name that is made here.
const NAME_BYTES: usize = 120;
/// Characters of a digest that tell names apart.
const TAIL: usize = 8;

/// `x=1,y=a`, after the name of the file if there is one. What a name cannot hold is left out, and
/// then a few characters at its end still tell it from all others.
pub(crate) fn name(file: Option<&str>, case: &Case) -> String {
    let pairs = case.iter().map(|(name, value)| format!("{name}={value}"));
    let whole: Vec<_> = file.map(str::to_string).into_iter().chain(pairs).collect();
    let whole = whole.join(",");
    let plain: String = whole.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    // Two values could otherwise read as three.
    let clear = case.iter().all(|(_, value)| !value.contains([',', '=']));
    if clear && plain == whole && plain.len() <= NAME_BYTES {
        return plain;
    }
    let digest = Digest::of("polity case name", &[format!("{file:?} {case:?}").as_bytes()]);
    let most = NAME_BYTES - TAIL - 1;
    let end = (0..=most.min(plain.len())).rev().find(|at| plain.is_char_boundary(*at));
    format!("{}~{}", &plain[..end.unwrap_or(0)], &digest.to_string()[..TAIL])
}

fn is_plain(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && !"/\\\"'`*?$&|;<>".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(pairs: &[(&str, &str)]) -> Case {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_name_reads_as_the_case_was_written() {
        assert_eq!(name(None, &case(&[("x", "1"), ("y", "0.5")])), "x=1,y=0.5");
        assert_eq!(name(Some("a.csv"), &case(&[("x", "é")])), "a.csv,x=é");
    }

    #[test]
    fn names_of_different_cases_differ_whatever_they_hold() {
        let odd = [
            case(&[("x", "a/b")]),
            case(&[("x", "a_b")]),
            case(&[("x", "a b")]),
            case(&[("x", "a\nb")]),
            case(&[("x", "1,y=2"), ("y", "3")]),
            case(&[("x", "1"), ("y", "2,y=3")]),
            case(&[("x", &"é".repeat(400))]),
            case(&[("x", &"é".repeat(401))]),
        ];
        let names: std::collections::BTreeSet<_> =
            odd.iter().map(|case| name(None, case)).collect();
        assert_eq!(names.len(), odd.len(), "{names:?}");
        for name in names {
            assert!(name.len() <= NAME_BYTES && name.starts_with("x="), "{name}");
            assert!(!name.contains(['/', ' ', '\n']), "{name}");
        }
    }
}
