//! Tasks that are computed: every combination of what some axes name, so that a job of a million
//! tasks is a table of some bytes.

use crate::{Error, is_param_name, limits};
use identity::Digest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a name that is made here.
const NAME_BYTES: usize = 120;
/// Characters of a digest that tell names apart.
const TAIL: usize = 8;
/// The largest number of digits after the point.
const SCALE: u32 = 18;
/// The largest number of characters of a whole number with zeros before it.
const WIDTH: u32 = 20;

/// Parameters of one task, by name.
pub type Case = Vec<(String, String)>;

/// Parameters that change together, and what they are one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// The parameters.
    pub names: Vec<String>,
    /// What they are; ranges only where there is one parameter.
    pub steps: Vec<Step>,
}

/// A value, or many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// One value for each name.
    Row(Vec<String>),
    /// Many values for the only name.
    Range(Range),
}

/// Decimal numbers at equal distances. The number at place `n` is `(first + n * step)` times ten to
/// the power of minus `scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The first one, in units of the last digit.
    pub first: i64,
    /// The distance, likewise; not 0.
    pub step: i64,
    /// How many they are.
    pub count: u64,
    /// Digits after the point.
    pub scale: u32,
    /// Characters of a whole number that was written with zeros before it; 0: none.
    pub width: u32,
}

impl Range {
    /// The number at a place, without needless zeros: `0.50` is `0.5` whatever the step, so that the
    /// same case is called the same in every sweep.
    pub fn value(&self, at: u64) -> String {
        let units = i128::from(self.first) + i128::from(at) * i128::from(self.step);
        let minus = if units < 0 { "-" } else { "" };
        let digits = units.unsigned_abs();
        if self.scale == 0 {
            let width = (self.width as usize).saturating_sub(minus.len());
            return format!("{minus}{digits:0width$}");
        }
        let one = 10_u128.pow(self.scale);
        let width = self.scale as usize;
        let text = format!("{minus}{}.{:0width$}", digits / one, digits % one);
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    }

    fn check(&self) -> Result<(), String> {
        let far = |at: u64| {
            let step = i128::from(at).checked_mul(i128::from(self.step))?;
            i64::try_from(i128::from(self.first).checked_add(step)?).ok()
        };
        let bounded = (1..=u64::from(limits::TASKS)).contains(&self.count)
            && self.scale <= SCALE
            && self.width <= WIDTH
            && (self.width == 0 || self.scale == 0);
        if self.step == 0 || !bounded || far(self.count - 1).is_none() {
            return Err("a range has no numbers, too many, or too large ones".into());
        }
        Ok(())
    }
}

impl Step {
    fn count(&self) -> u64 {
        match self {
            Self::Row(_) => 1,
            Self::Range(range) => range.count,
        }
    }
}

impl Axis {
    /// How many cases it has.
    pub fn count(&self) -> u64 {
        self.steps.iter().fold(0_u64, |sum, step| sum.saturating_add(step.count()))
    }

    /// What its parameters are at a place.
    fn case(&self, mut at: u64) -> impl Iterator<Item = (String, String)> + '_ {
        let step = self.steps.iter().find(|step| match at.checked_sub(step.count()) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        });
        let values = match step {
            Some(Step::Row(values)) => values.clone(),
            Some(Step::Range(range)) => vec![range.value(at)],
            None => Vec::new(),
        };
        self.names.iter().cloned().zip(values)
    }

    /// Checks names, counts and that no case is there twice.
    fn check(&self) -> Result<(), String> {
        if let Some(name) = self.names.iter().find(|name| !is_param_name(name)) {
            return Err(format!("{name:?} is no name of a parameter: letters, digits and _"));
        }
        if self.names.is_empty() || self.steps.is_empty() {
            return Err("an axis has no names or no values".into());
        }
        for step in &self.steps {
            match step {
                Step::Row(values) if values.len() != self.names.len() => {
                    return Err(format!("{} values for {} names", values.len(), self.names.len()));
                }
                Step::Row(values) if values.iter().any(|value| value.contains('\0')) => {
                    return Err(format!("a value of {} contains a zero byte", self.names[0]));
                }
                Step::Range(_) if self.names.len() != 1 => {
                    return Err("a range has values for one parameter".into());
                }
                Step::Range(range) => range.check()?,
                Step::Row(_) => {}
            }
        }
        if self.count() > u64::from(limits::TASKS) {
            return Err(format!("more than {} values of {}", limits::TASKS, self.names[0]));
        }
        // The numbers of one range differ.
        if self.steps.len() > 1 {
            let mut seen = BTreeSet::new();
            let cases = (0..self.count()).map(|at| self.case(at).map(|(_, value)| value));
            if let Some(twice) =
                cases.map(Iterator::collect::<Vec<_>>).find(|case| !seen.insert(case.clone()))
            {
                return Err(format!("{} is twice {}", self.names.join("+"), twice.join("+")));
            }
        }
        Ok(())
    }

    /// Bytes of its names and its longest values.
    fn bytes(&self) -> usize {
        let longest = |step: &Step| match step {
            Step::Row(values) => values.iter().map(String::len).sum(),
            // The longest stand at the ends.
            Step::Range(range) => {
                range.value(0).len().max(range.value(range.count - 1).len()).max(SCALE as usize + 3)
            }
        };
        let names: usize = self.names.iter().map(String::len).sum();
        names + self.steps.iter().map(longest).max().unwrap_or(0)
    }

    /// Whether names of tasks show its values as they are.
    fn is_plain(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Row(values) => {
                values.iter().all(|value| is_clear(value) && value.chars().all(is_plain))
            }
            Step::Range(_) => true,
        })
    }
}

/// How many combinations there are; one if there are no axes.
pub fn combinations(axes: &[Axis]) -> u64 {
    axes.iter().map(Axis::count).fold(1, u64::saturating_mul)
}

/// The combination at a place. The last axis changes fastest.
pub fn case_at(axes: &[Axis], mut at: u64) -> Case {
    let mut places: Vec<(&Axis, u64)> = axes
        .iter()
        .rev()
        .map(|axis| {
            let count = axis.count().max(1);
            let place = at % count;
            at /= count;
            (axis, place)
        })
        .collect();
    places.reverse();
    places.into_iter().flat_map(|(axis, place)| axis.case(place)).collect()
}

/// Checks axes, and that all combinations with `bases` have different names and are not too many or
/// too large.
pub(crate) fn check(axes: &[Axis], bases: &[(&str, &Case)]) -> Result<(), Error> {
    let wrong = |reason: String| Err(Error::invalid("task table", reason));
    let all = combinations(axes).saturating_mul(bases.len() as u64);
    for axis in axes {
        axis.check().map_err(|reason| Error::invalid("task table", reason))?;
    }
    if all > u64::from(limits::TASKS) {
        return wrong(format!("{all} tasks, at most {}", limits::TASKS));
    }
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    axes.iter().flat_map(|axis| &axis.names).for_each(|name| *names.entry(name).or_default() += 1);
    let of_bases: BTreeSet<&str> =
        bases.iter().flat_map(|(_, case)| case.iter()).map(|(name, _)| name.as_str()).collect();
    let twice = names.iter().find(|(name, count)| **count > 1 || of_bases.contains(**name));
    if let Some((name, _)) = twice {
        return wrong(format!("two parameters are named {name}"));
    }
    let bytes: usize = axes.iter().map(Axis::bytes).sum();
    let of_base =
        |case: &Case| case.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    let largest = bases.iter().map(|(_, case)| of_base(case)).max().unwrap_or(0);
    if names.len() + of_bases.len() > limits::PARAMS || bytes + largest > limits::PARAMS_BYTES {
        return wrong(format!("{} parameters of {} bytes", names.len(), bytes + largest));
    }
    // Where names are what was written they differ as the cases do; else they are looked at.
    let longest = bases.iter().map(|(base, _)| base.len()).max().unwrap_or(0);
    let plain = axes.iter().all(Axis::is_plain)
        && bases.iter().all(|(base, _)| base.chars().all(is_plain))
        && bytes + 2 * names.len() + longest <= NAME_BYTES;
    if plain {
        return Ok(());
    }
    if all > u64::from(limits::NAMED_TASKS) {
        return wrong(format!(
            "more than {} tasks have long names, or values with special characters",
            limits::NAMED_TASKS
        ));
    }
    let mut seen = BTreeSet::new();
    for (base, _) in bases {
        let file = Some(*base).filter(|base| !base.is_empty());
        for at in 0..combinations(axes) {
            let name = case_name(file, &case_at(axes, at));
            if seen.contains(&name) {
                return wrong(format!("two tasks are named {name}"));
            }
            seen.insert(name);
        }
    }
    Ok(())
}

/// What a task of a sweep over parameters is called: `x=1,y=a`, after the name of its file if there
/// is one; readable, and safe as the name of a file. What a name cannot hold is left out, and then a
/// few characters at its end still tell it from all others.
pub fn case_name(file: Option<&str>, case: &Case) -> String {
    let pairs = case.iter().map(|(name, value)| format!("{name}={value}"));
    let whole: Vec<_> = file.map(str::to_string).into_iter().chain(pairs).collect();
    let whole = whole.join(",");
    let plain: String = whole.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    // Two values could otherwise read as three.
    let clear = case.iter().all(|(_, value)| is_clear(value));
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

fn is_clear(value: &str) -> bool {
    !value.contains([',', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(pairs: &[(&str, &str)]) -> Case {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn range(first: i64, step: i64, count: u64) -> Step {
        Step::Range(Range { first, step, count, scale: 0, width: 0 })
    }

    fn axis(name: &str, steps: Vec<Step>) -> Axis {
        Axis { names: vec![name.into()], steps }
    }

    fn row(value: &str) -> Step {
        Step::Row(vec![value.into()])
    }

    fn said(axes: &[Axis]) -> String {
        check(axes, &[("", &Case::new())]).map_or_else(|e| e.to_string(), |()| "good".into())
    }

    #[test]
    fn a_name_reads_as_the_case_was_written() {
        assert_eq!(case_name(None, &case(&[("x", "1"), ("y", "0.5")])), "x=1,y=0.5");
        assert_eq!(case_name(Some("a.csv"), &case(&[("x", "é")])), "a.csv,x=é");
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
        let names: BTreeSet<_> = odd.iter().map(|case| case_name(None, case)).collect();
        assert_eq!(names.len(), odd.len(), "{names:?}");
        for name in names {
            assert!(name.len() <= NAME_BYTES && name.starts_with("x="), "{name}");
            assert!(!name.contains(['/', ' ', '\n']), "{name}");
        }
    }

    #[test]
    fn combinations_are_computed_the_last_axis_first() {
        let axes = [
            axis("x", vec![row("a"), range(5, 1, 2)]),
            Axis {
                names: vec!["y".into(), "z".into()],
                steps: vec![
                    Step::Row(vec!["1".into(), "p".into()]),
                    Step::Row(vec!["2".into(), "q".into()]),
                ],
            },
        ];
        assert_eq!((combinations(&axes), combinations(&[])), (6, 1));
        let all: Vec<_> = (0..6).map(|at| case_name(None, &case_at(&axes, at))).collect();
        let expected = [
            "x=a,y=1,z=p",
            "x=a,y=2,z=q",
            "x=5,y=1,z=p",
            "x=5,y=2,z=q",
            "x=6,y=1,z=p",
            "x=6,y=2,z=q",
        ];
        assert_eq!(all, expected);
        assert_eq!(said(&axes), "good");
    }

    #[test]
    fn numbers_are_exact_and_written_without_needless_zeros() {
        let tenths = Range { first: -1, step: 1, count: 12, scale: 1, width: 0 };
        let text: Vec<_> = (0..12).map(|at| tenths.value(at)).collect();
        assert_eq!(text[..3], ["-0.1", "0", "0.1"]);
        assert_eq!(text[11], "1");
        let padded = Range { first: 8, step: 3, count: 2, scale: 0, width: 2 };
        assert_eq!([padded.value(0), padded.value(1)], ["08", "11"]);
    }

    #[test]
    fn what_is_twice_or_too_much_is_refused() {
        for (axes, expected) in [
            (vec![axis("x", vec![range(0, 1, 1_000_000)])], "good"),
            (vec![axis("x", vec![range(0, 1, 1_000_001)])], "a range has no numbers, too many"),
            (vec![axis("x", vec![range(0, 0, 2)])], "a range has no numbers"),
            (vec![axis("x", vec![range(i64::MAX, 1, 2)])], "too large ones"),
            (vec![axis("x", vec![range(0, 1, 0)])], "a range has no numbers"),
            (
                vec![axis("x", vec![range(0, 1, 1_001)]), axis("y", vec![range(0, 1, 1_000)])],
                "1001000 tasks, at most",
            ),
            (vec![axis("x", vec![range(0, 1, 3), row("2")])], "x is twice 2"),
            (
                vec![axis("x", vec![row("a")]), axis("x", vec![row("b")])],
                "two parameters are named x",
            ),
            (vec![axis("2x", vec![row("a")])], "no name of a parameter"),
            (vec![axis("x", vec![row("a\0")])], "zero byte"),
            (vec![axis("x", vec![])], "no values"),
            (vec![axis("x", vec![Step::Row(vec![])])], "0 values for 1 names"),
            (
                vec![axis("x", vec![row("a b")]), axis("y", vec![range(0, 1, 100_001)])],
                "special characters",
            ),
            (
                vec![axis("x", vec![row("a b"), row("a/b")]), axis("y", vec![range(0, 1, 9)])],
                "good",
            ),
            (vec![axis("x", vec![row(&"v".repeat(70_000))])], "1 parameters of 70001 bytes"),
        ] {
            let said = said(&axes);
            assert!(said.contains(expected), "{said}: {axes:?}");
        }
    }
}
