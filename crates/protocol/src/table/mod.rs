//! The table of a job's tasks: one row for each, or rows that are combined with axes.

mod grid;

pub use grid::{Axis, Case, Range, Step, case_at, case_name, combinations};

use crate::{Error, TaskIndex, limits};
use identity::{Digest, canonical};
use objects::Cid;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeSet};

/// A named input file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The file's name under `/in`: one path component.
    pub name: String,
    /// Its content: a UnixFS file.
    pub cid: Cid,
    /// Its size.
    pub size_bytes: u64,
}

/// One unit of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// What people call it: the input's name, or `task`.
    pub name: String,
    /// The files under `/in`.
    pub inputs: Vec<Input>,
    /// What the program reads from stdin, if anything.
    pub stdin: Option<Cid>,
    /// Its parameters, by name: the program's environment, and `{name}` in its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<(String, String)>,
}

/// All tasks of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskTable {
    /// Arguments after the program's name; `{}` stands for the task's name, `{x}` for the value of
    /// its parameter `x`, and for itself if there is none.
    pub args: Vec<String>,
    /// The tasks, in the order of their indexes. With axes, what each combination is of: the name
    /// of one stands before the values of the parameters, and may be empty if there is one only.
    tasks: Vec<TaskSpec>,
    /// Parameters, of which every combination with every row is a task; the last one changes
    /// fastest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    axes: Vec<Axis>,
}

impl TaskTable {
    /// One row for each task.
    pub fn of(args: Vec<String>, tasks: Vec<TaskSpec>) -> Self {
        Self { args, tasks, axes: Vec::new() }
    }

    /// Every row with every combination.
    pub fn grid(args: Vec<String>, rows: Vec<TaskSpec>, axes: Vec<Axis>) -> Self {
        Self { args, tasks: rows, axes }
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        let all = combinations(&self.axes).saturating_mul(self.tasks.len() as u64);
        usize::try_from(all).unwrap_or(usize::MAX)
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A task by its place; computed if there are axes.
    pub fn task(&self, at: usize) -> Option<Cow<'_, TaskSpec>> {
        if self.axes.is_empty() {
            return self.tasks.get(at).map(Cow::Borrowed);
        }
        let of_one = combinations(&self.axes);
        let at = at as u64;
        let row = self.tasks.get(usize::try_from(at.checked_div(of_one)?).ok()?)?;
        let case = case_at(&self.axes, at % of_one);
        let name = case_name(Some(row.name.as_str()).filter(|name| !name.is_empty()), &case);
        let params = row.params.iter().cloned().chain(case).collect();
        Some(Cow::Owned(TaskSpec { name, params, ..row.clone() }))
    }

    /// A task by its index.
    pub fn task_of(&self, task: TaskIndex) -> Option<Cow<'_, TaskSpec>> {
        self.task(task.0 as usize)
    }

    /// What a task is called.
    pub fn name(&self, at: usize) -> Option<Cow<'_, str>> {
        Some(match self.task(at)? {
            Cow::Borrowed(task) => Cow::Borrowed(&task.name),
            Cow::Owned(task) => Cow::Owned(task.name),
        })
    }

    /// All tasks, one after the other.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = Cow<'_, TaskSpec>> + Clone {
        (0..self.len()).map(|at| self.task(at).expect("it is below the end"))
    }

    /// The rows that its tasks are made of: the tasks themselves, unless there are axes.
    pub fn rows(&self) -> &[TaskSpec] {
        &self.tasks
    }

    /// The axes, if there are any.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The content that its tasks read.
    pub fn roots(&self) -> BTreeSet<Cid> {
        let inputs = self.tasks.iter().flat_map(|task| &task.inputs).map(|input| input.cid);
        inputs.chain(self.tasks.iter().filter_map(|task| task.stdin)).collect()
    }

    /// The table's name.
    pub fn cid(&self) -> Cid {
        Cid::of_value(self)
    }

    /// Reads and checks a table.
    ///
    /// # Errors
    /// If it is not canonical, or a name or a count is out of bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let table: Self = canonical::decode(bytes, limits::TABLE_BYTES)?;
        table.check()?;
        Ok(table)
    }

    /// Checks names and counts.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first thing that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::invalid("task table", reason));
        let args_bytes: usize = self.args.iter().map(String::len).sum();
        if self.args.len() > limits::ARGS || args_bytes > limits::ARGS_BYTES {
            return wrong(format!("{} arguments of {args_bytes} bytes", self.args.len()));
        }
        if self.args.iter().any(|arg| arg.contains('\0')) {
            return wrong("an argument contains a zero byte".into());
        }
        let grid = !self.axes.is_empty();
        for task in &self.tasks {
            // What tasks of a grid are called is made of their values.
            if !(grid && task.name.is_empty() && self.tasks.len() == 1) {
                check_file_name(&task.name)?;
            }
            task.check_params()?;
            if task.inputs.len() > limits::INPUTS {
                return wrong(format!("task {} has {} inputs", task.name, task.inputs.len()));
            }
            let mut names: Vec<_> = task.inputs.iter().map(|i| i.name.as_str()).collect();
            names.sort_unstable();
            if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return wrong(format!("task {} has two inputs named {}", task.name, pair[0]));
            }
            task.inputs.iter().try_for_each(|input| check_file_name(&input.name))?;
        }
        let mut names: Vec<_> = self.tasks.iter().map(|task| task.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return wrong(format!("two tasks are named {}", pair[0]));
        }
        if grid {
            let rows: Vec<_> = self.tasks.iter().map(|task| (&*task.name, &task.params)).collect();
            grid::check(&self.axes, &rows)?;
        }
        Ok(())
    }

    /// The arguments of one task: `argv` without the program's name.
    pub fn args_of(&self, task: &TaskSpec) -> Vec<String> {
        self.args.iter().map(|arg| task.fill_in(arg)).collect()
    }

    /// Names in braces that look like parameters and that the first task does not have: in its
    /// arguments they stay as they are.
    pub fn not_filled(&self) -> BTreeSet<String> {
        let Some(first) = self.task(0) else { return BTreeSet::new() };
        let args = self.args.iter().flat_map(|arg| arg.split('{').skip(1));
        args.filter_map(|after| after.split_once('}'))
            .filter(|(name, _)| is_param_name(name) && first.param(name).is_none())
            .map(|(name, _)| name.to_string())
            .collect()
    }

    /// The seed of one task's randomness: a function of the job's seed and of all that the program
    /// is given. So the same case gives the same result, wherever it stands in whichever sweep.
    pub fn seed_of(&self, seed: &Digest, task: &TaskSpec) -> Digest {
        let files: Vec<_> = task.inputs.iter().map(|input| (&input.name, &input.cid)).collect();
        let given = (self.args_of(task), &task.params, files, &task.stdin);
        Digest::of("polity task seed", &[seed.as_bytes(), &canonical::encode(&given)])
    }
}

impl TaskSpec {
    /// One argument with this task's name and parameters in it.
    fn fill_in(&self, arg: &str) -> String {
        let mut filled = String::with_capacity(arg.len());
        let mut rest = arg;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let known = after.split_once('}').and_then(|(name, after)| {
                let value = if name.is_empty() { Some(&self.name) } else { self.param(name) };
                value.map(|value| (value, after))
            });
            rest = match known {
                Some((value, after)) => {
                    filled.push_str(value);
                    after
                }
                None => {
                    filled.push('{');
                    after
                }
            };
        }
        filled.push_str(rest);
        filled
    }

    fn param(&self, name: &str) -> Option<&String> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn check_params(&self) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::invalid("task table", reason));
        let bytes: usize = self.params.iter().map(|(name, value)| name.len() + value.len()).sum();
        if self.params.len() > limits::PARAMS || bytes > limits::PARAMS_BYTES {
            let count = self.params.len();
            return wrong(format!("task {} has {count} parameters of {bytes} bytes", self.name));
        }
        for (at, (name, value)) in self.params.iter().enumerate() {
            if !is_param_name(name) {
                return wrong(format!("{name:?} is no name of a parameter: letters, digits and _"));
            }
            if value.contains('\0') {
                return wrong(format!("parameter {name} contains a zero byte"));
            }
            if self.params[..at].iter().any(|(other, _)| other == name) {
                return wrong(format!("task {} has two parameters named {name}", self.name));
            }
        }
        Ok(())
    }
}

/// Whether parameters may be called so: letters, digits and `_`, no digit first.
pub fn is_param_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && name.len() <= limits::NAME_BYTES
        && name.chars().all(plain)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// One path component that is safe to create in any directory.
pub(crate) fn check_file_name(name: &str) -> Result<(), Error> {
    let bad = name.is_empty()
        || name.len() > limits::NAME_BYTES
        || name == "."
        || name == ".."
        || name.contains(['/', '\0'])
        || name.chars().any(char::is_control);
    if bad {
        let shown: String = name.chars().take(40).collect();
        return Err(Error::invalid("file name", format!("{shown:?} is not one plain name")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Codec;

    fn task(params: &[(&str, &str)]) -> TaskSpec {
        let params = params.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        TaskSpec { name: "one".into(), inputs: Vec::new(), stdin: None, params }
    }

    fn table(args: &[&str], tasks: Vec<TaskSpec>) -> TaskTable {
        TaskTable::of(args.iter().map(|arg| (*arg).into()).collect(), tasks)
    }

    #[test]
    fn arguments_take_names_and_parameters_once() {
        let task = task(&[("x", "{y}"), ("y", "2")]);
        let args = ["{}.csv", "--x={x}", "{y}{y}", "{z}", "{", "{x", "{{}}", "a}b"];
        let filled = table(&args, Vec::new()).args_of(&task);
        assert_eq!(filled, ["one.csv", "--x={y}", "22", "{z}", "{", "{x", "{one}", "a}b"]);
        let not_filled = table(&args, vec![task]).not_filled();
        assert_eq!(not_filled, BTreeSet::from(["z".to_string()]));
        let json = table(&[r#"{"a":1}"#, "x{3}", "{}"], vec![self::task(&[])]);
        assert_eq!(json.not_filled(), BTreeSet::new());
    }

    #[test]
    fn parameters_have_plain_and_different_names() {
        for (params, good) in [
            (vec![("x", "1"), ("_y2", "")], true),
            (vec![("x", "1"), ("x", "2")], false),
            (vec![("2x", "1")], false),
            (vec![("", "1")], false),
            (vec![("a=b", "1")], false),
            (vec![("x", "a\0b")], false),
        ] {
            assert_eq!(table(&[], vec![task(&params)]).check().is_ok(), good, "{params:?}");
        }
    }

    #[test]
    fn a_grid_is_the_rows_that_it_stands_for() {
        let range = Range { first: 0, step: 1, count: 1_000, scale: 0, width: 0 };
        let axes = vec![
            Axis {
                names: vec!["y".into()],
                steps: vec![Step::Row(vec!["a".into()]), Step::Row(vec!["b".into()])],
            },
            Axis { names: vec!["index".into()], steps: vec![Step::Range(range)] },
        ];
        let file = |name: &str| {
            let params = vec![("each".to_string(), name.to_string())];
            let input = Input { name: name.into(), cid: Cid::of(Codec::Raw, b"1"), size_bytes: 1 };
            TaskSpec { name: name.into(), inputs: vec![input], stdin: None, params }
        };
        let grid = TaskTable::grid(vec!["{each}".into()], vec![file("a.csv"), file("b.csv")], axes);
        grid.check().unwrap();
        assert_eq!((grid.len(), grid.rows().len(), grid.roots().len()), (4_000, 2, 1));
        let rows = TaskTable::of(grid.args.clone(), grid.tasks().map(Cow::into_owned).collect());
        rows.check().unwrap();
        assert_eq!(rows.task(3_999).unwrap().name, "b.csv,y=b,index=999");
        assert_eq!(grid.name(2_000).as_deref(), Some("b.csv,y=a,index=0"));
        assert_eq!((grid.task(4_000), rows.task(4_000)), (None, None));
        let task = grid.task(1_234).unwrap();
        assert_eq!(grid.args_of(&task), ["a.csv"]);
        let seed = Digest([1; 32]);
        assert_eq!(grid.seed_of(&seed, &task), rows.seed_of(&seed, &rows.task(1_234).unwrap()));
        let bytes = canonical::encode(&grid);
        assert!(bytes.len() < 1_000);
        assert_eq!(TaskTable::decode(&bytes).unwrap(), grid);
    }

    #[test]
    fn a_million_tasks_are_a_table_of_some_bytes() {
        let range = Range { first: 0, step: 1, count: 1_000_000, scale: 0, width: 0 };
        let axes = vec![Axis { names: vec!["index".into()], steps: vec![Step::Range(range)] }];
        let row = TaskSpec { name: String::new(), ..task(&[]) };
        let table = TaskTable::grid(Vec::new(), vec![row.clone()], axes.clone());
        table.check().unwrap();
        assert_eq!((table.len(), canonical::encode(&table).len() < 200), (1_000_000, true));
        assert_eq!(table.name(999_999).as_deref(), Some("index=999999"));
        let two = TaskTable::grid(Vec::new(), vec![row.clone(), task(&[])], axes.clone());
        assert!(two.check().is_err(), "one has no name");
        let taken = TaskSpec { name: "a".into(), ..task(&[("index", "1")]) };
        let taken = TaskTable::grid(Vec::new(), vec![taken], axes);
        assert!(taken.check().unwrap_err().to_string().contains("two parameters are named index"));
        assert!(TaskTable::of(Vec::new(), vec![row]).check().is_err(), "a task has a name");
    }

    #[test]
    fn the_seed_of_a_task_follows_what_the_program_is_given_and_nothing_else() {
        let seed = Digest([1; 32]);
        let of = |args: &[&str], task: &TaskSpec| table(args, Vec::new()).seed_of(&seed, task);
        let first = task(&[("x", "1")]);
        let named = TaskSpec { name: "two".into(), ..first.clone() };
        assert_eq!(of(&["a"], &first), of(&["a"], &named), "its name is not given");
        assert_ne!(of(&["{}"], &first), of(&["{}"], &named), "its name is an argument");
        let file =
            |name: &str| Input { name: name.into(), cid: Cid::of(Codec::Raw, b"1"), size_bytes: 1 };
        let others = [
            task(&[("x", "2")]),
            task(&[("y", "1")]),
            task(&[]),
            TaskSpec { stdin: Some(Cid::of(Codec::Raw, b"")), ..first.clone() },
            TaskSpec { inputs: vec![file("a")], ..first.clone() },
            TaskSpec { inputs: vec![file("b")], ..first.clone() },
        ];
        let mut seeds: Vec<_> = others.iter().map(|task| of(&["a"], task)).collect();
        seeds.extend([of(&["a"], &first), of(&["b"], &first), of(&[], &first)]);
        seeds.push(table(&["a"], Vec::new()).seed_of(&Digest([2; 32]), &first));
        let count = seeds.len();
        seeds.sort();
        seeds.dedup();
        assert_eq!(seeds.len(), count, "each is another");
    }
}
