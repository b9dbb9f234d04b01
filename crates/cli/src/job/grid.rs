//! The cases of a sweep over parameters: every combination of what `--param`, `--param-file` and
//! `--array` name.

use super::{csv, range};
use crate::{data, failure::Failure, text};
use protocol::{Axis, Case, Step, case_at, combinations, is_param_name, limits};
use std::{collections::BTreeSet, path::Path};

/// The parameter of `--array`.
pub(crate) const INDEX: &str = "index";
/// The parameter that tells the file's name, if `--each` and parameters come together.
pub(crate) const EACH: &str = "each";

/// Bytes of a file of cases.
const FILE_BYTES: u64 = 64 << 20;

/// All cases: the product of its axes. The last one changes fastest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grid(Vec<Axis>);

impl Grid {
    /// Reads what a person wrote: texts of `--param`, the file of `--param-file`, and `--array`.
    ///
    /// # Errors
    /// What makes no sense, and how it is written.
    pub(crate) fn of(
        params: &[String],
        file: Option<&Path>,
        array: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut axes = Vec::new();
        for text in params {
            axes.extend(listed(text).map_err(|reason| wrong("--param", text, &reason))?);
        }
        if let Some(path) = file {
            axes.push(read(path)?);
        }
        if let Some(text) = array {
            axes.push(indexes(text).map_err(|reason| wrong("--array", text, &reason))?);
        }
        let mut names = BTreeSet::new();
        if let Some(name) =
            axes.iter().flat_map(|axis| &axis.names).find(|name| !names.insert(name.as_str()))
        {
            return Err(Failure::usage(format!("parameter {name} is given twice"))
                .next("give all its values at once: --param x=1,2,10..20"));
        }
        Ok(Self(axes))
    }

    /// Whether there is no parameter at all: one case, of which nothing is said.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a parameter is called so.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|axis| axis.names.iter().any(|known| known == name))
    }

    /// Checks that this many times all cases are not more than one job may have.
    ///
    /// # Errors
    /// With all the factors, and the bound.
    pub(crate) fn check(&self, times: usize) -> Result<(), Failure> {
        let counts = || self.0.iter().map(Axis::count);
        let all = counts().fold(times as u64, u64::saturating_mul);
        if all <= u64::from(limits::TASKS) {
            return Ok(());
        }
        let factors = self.0.iter().zip(counts());
        let mut factors: Vec<_> = factors
            .map(|(axis, count)| format!("{} of {}", text::number(count), axis.names.join("+")))
            .collect();
        if times > 1 {
            factors.insert(0, text::number(times as u64));
        }
        let (all, most) = (text::number(all), text::number(limits::TASKS.into()));
        let factors = factors.join(" × ");
        Err(Failure::usage(format!("{factors} = {all} tasks; one job has at most {most}"))
            .next("split the sweep into several jobs"))
    }

    /// How many cases there are.
    pub(crate) fn count(&self) -> u64 {
        combinations(&self.0)
    }

    /// What the cases are made of.
    pub(crate) fn axes(&self) -> &[Axis] {
        &self.0
    }

    /// All cases. Call [`Self::check`] before: it is what bounds them.
    pub(crate) fn cases(&self) -> Vec<Case> {
        (0..self.count()).map(|at| case_at(&self.0, at)).collect()
    }
}

fn wrong(option: &str, text: &str, reason: &str) -> Failure {
    Failure::usage(format!("{option} {text}: {reason}"))
}

/// The parts of `x=1..10,y=a,b`, one for each parameter: one without a name is one more value of the
/// parameter before it.
pub(crate) fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',') {
        let named = part.split_once('=').is_some_and(|(name, _)| is_param_name(name.trim()));
        match parts.last_mut() {
            Some(last) if !named => *last = format!("{last},{part}"),
            _ => parts.push(part.into()),
        }
    }
    parts
}

/// Reads `x=1..10,y=a,b`.
fn listed(text: &str) -> Result<Vec<Axis>, String> {
    parts(text).iter().map(|part| axis(part)).collect()
}

fn axis(part: &str) -> Result<Axis, String> {
    let Some((name, values)) = part.split_once('=') else {
        return Err("write NAME=VALUES, as in x=1..10 or y=a,b".into());
    };
    let name = name.trim();
    if !is_param_name(name) {
        return Err(format!("{name:?} is no name: letters, digits and _, no digit first"));
    }
    let step = |value: &str| match range::parse(value).transpose()? {
        Some(range) => Ok(Step::Range(range)),
        None => Ok(Step::Row(vec![value.into()])),
    };
    let steps = values.split(',').map(step).collect::<Result<_, String>>()?;
    Ok(Axis { names: vec![name.into()], steps })
}

/// Reads `20`, which is `0..19`, or `A..B`.
fn indexes(text: &str) -> Result<Axis, String> {
    let how = "write a number of tasks, as 20, or the first and the last index, as 1..20";
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let range = match text.split_once("..") {
        Some((first, last)) if plain(first) && plain(last) => text.to_string(),
        None if plain(text) => match text.parse::<u64>() {
            Ok(count @ 1..) => format!("0..{}", count - 1),
            _ => return Err(how.into()),
        },
        _ => return Err(how.into()),
    };
    match range::parse(&range) {
        Some(Ok(range)) => Ok(Axis { names: vec![INDEX.into()], steps: vec![Step::Range(range)] }),
        _ => Err(how.into()),
    }
}

/// Reads a file of cases: names in its first line, one case in every other.
fn read(path: &Path) -> Result<Axis, Failure> {
    let bytes =
        data::read_bounded(path, FILE_BYTES).map_err(|error| Failure::file(path, &error))?;
    let shown = path.display();
    let wrong = |reason: String| {
        Failure::usage(format!("{shown}: {reason}"))
            .next("the first line has the names, every other one a task: x,y and then 1,a")
    };
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is no UTF-8 text".into()))?;
    let mut records = csv::records(&text).map_err(wrong)?.into_iter();
    let Some((_, names)) = records.next() else { return Err(wrong("it is empty".into())) };
    let names: Vec<_> = names.iter().map(|name| name.trim().to_string()).collect();
    if let Some(name) = names.iter().find(|name| !is_param_name(name)) {
        return Err(wrong(format!("{name:?} in its first line is no name of a parameter")));
    }
    let mut steps = Vec::new();
    for (line, values) in records {
        if values.len() != names.len() {
            let (got, want) = (text::plural(values.len(), "value"), names.len());
            return Err(wrong(format!("line {line} has {got} for {want} names")));
        }
        steps.push(Step::Row(values));
    }
    if steps.is_empty() {
        return Err(wrong("it has names and no cases".into()));
    }
    Ok(Axis { names, steps })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(params: &[&str]) -> Result<Grid, Failure> {
        let params: Vec<_> = params.iter().map(|text| text.to_string()).collect();
        Grid::of(&params, None, None)
    }

    fn shown(grid: &Grid) -> Vec<String> {
        let one = |case: Case| case.iter().map(|(name, value)| format!("{name}{value}")).collect();
        grid.cases().into_iter().map(one).collect()
    }

    #[test]
    fn all_combinations_the_last_parameter_first() {
        let product = grid(&["x=1..3,y=a,b"]).unwrap();
        assert_eq!(shown(&product), ["x1ya", "x1yb", "x2ya", "x2yb", "x3ya", "x3yb"]);
        assert_eq!(product, grid(&["x=1..3", "y=a,b"]).unwrap());
        let values = grid(&["x=1,5..7,last,0..1:0.5"]).unwrap();
        assert_eq!(shown(&values), ["x1", "x5", "x6", "x7", "xlast", "x0", "x0.5", "x1"]);
        assert_eq!(shown(&grid(&["p=../a=b,,c"]).unwrap()), ["p../a=b", "p", "pc"]);
        assert!(Grid::default().is_empty() && Grid::default().cases() == [Case::new()]);
    }

    #[test]
    fn an_array_has_an_index_from_nought_or_from_where_one_says() {
        let array = |text| Grid::of(&[], None, Some(text));
        assert_eq!(shown(&array("3").unwrap()), ["index0", "index1", "index2"]);
        assert_eq!(shown(&array("5..6").unwrap()), ["index5", "index6"]);
        for text in ["0", "", "x", "-1", "1..", "..2", "0.5..2", "1..9:2"] {
            assert!(array(text).unwrap_err().message.contains("a number of tasks"), "{text}");
        }
    }

    #[test]
    fn the_rows_of_a_file_are_cases_and_are_combined_with_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grid.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Grid::of(&["z=1,2".into()], Some(&path), None)
        };
        let product = read("x, y\n1,a\n2,\"b,c\"\n").unwrap();
        assert_eq!(shown(&product), ["z1x1ya", "z1x2yb,c", "z2x1ya", "z2x2yb,c"]);
        for (text, said) in [
            ("", "empty"),
            ("x,y\n", "no cases"),
            ("x,y\n1\n", "line 2 has 1 value for 2 names"),
            ("x,2y\n1,2\n", "no name"),
            ("x,z\n1,2\n", "given twice"),
            ("x\n\"1", "line 2"),
        ] {
            let failure = read(text).unwrap_err();
            assert!(failure.message.contains(said), "{failure}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said_with_how_it_is_written() {
        for (text, said) in [
            ("1..10", "NAME=VALUES"),
            ("2x=1", "no name"),
            ("x=1..", "no range"),
            ("x=1,x=2", "twice"),
        ] {
            let failure = grid(&[text]).unwrap_err();
            assert!(failure.message.contains(said), "{failure}");
        }
    }

    #[test]
    fn too_many_cases_are_counted_and_never_made() {
        let huge = grid(&["x=1..1000000000000,y=1..1000000000000"]).unwrap();
        assert!(huge.check(1).unwrap_err().message.contains("at most 1,000,000"));
        let failure = grid(&["x=1..1000,y=a,b"]).unwrap().check(501).unwrap_err();
        assert_eq!(
            failure.message,
            "501 × 1,000 of x × 2 of y = 1,002,000 tasks; one job has at most 1,000,000"
        );
        assert_eq!(grid(&["x=1..1000,y=a,b"]).unwrap().check(500), Ok(()));
    }
}
