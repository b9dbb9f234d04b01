//! The inputs of a job: which files, under which names, for which task.

use super::{
    content::{Content, open_file},
    files,
    grid::{EACH, Grid},
};
use crate::{failure::Failure, text};
use bytes::Bytes;
use protocol::{Axis, Case, case_name, limits};
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// Bytes that are taken from our own stdin.
const STDIN_BYTES: u64 = 64 << 20;

/// Tasks that are rows of the table, at most, if parameters make them: of more the table holds what
/// they are made of.
const ROWS: usize = 10_000;

/// A task before its files have CIDs. Its files are places in [`Inputs::contents`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) name: String,
    /// Names and places.
    pub(crate) inputs: Vec<(String, usize)>,
    pub(crate) stdin: Option<usize>,
    pub(crate) params: Case,
}

/// What the tasks of a job read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// Every content once, however many tasks read it.
    pub(crate) contents: Vec<Content>,
    pub(crate) tasks: Vec<Draft>,
    /// Parameters with which every one of them runs, if there are too many for rows.
    pub(crate) axes: Vec<Axis>,
    /// Whether every task has a file of its own.
    pub(crate) each: bool,
}

/// One task for each of these files, in their order.
pub(crate) fn sweep(patterns: &[String], from: &files::From<'_>) -> Result<Inputs, Failure> {
    let files = files::named(files::all(patterns, from)?)?;
    check_count(files.len())?;
    let mut inputs = Inputs { each: true, ..Inputs::default() };
    for (at, (name, path)) in files.into_iter().enumerate() {
        inputs.contents.push(Content::File(path));
        let (stdin, params) = (None, Case::new());
        inputs.tasks.push(Draft { name: name.clone(), inputs: vec![(name, at)], stdin, params });
    }
    Ok(inputs)
}

/// One task with all these files; `-` is our stdin, and becomes the program's.
pub(crate) fn single(paths: &[PathBuf]) -> Result<Inputs, Failure> {
    let is_stdin = |path: &Path| path == Path::new("-");
    let others = paths.iter().filter(|path| !is_stdin(path)).cloned().collect();
    let mut files = files::unique(others)?;
    files.sort();
    if files.len() > limits::INPUTS {
        let (got, most) = (files.len(), limits::INPUTS);
        return Err(Failure::usage(format!("{got} inputs; one task has at most {most}")));
    }
    let name = match files.as_slice() {
        [(only, _)] => only.clone(),
        _ => "task".into(),
    };
    let mut contents = Vec::new();
    let mut inputs = Vec::new();
    for (name, path) in files {
        open_file(&path).map_err(|error| Failure::file(&path, &error))?;
        inputs.push((name, contents.len()));
        contents.push(Content::File(path));
    }
    let mut stdin = None;
    if paths.iter().any(|path| is_stdin(path)) {
        stdin = Some(contents.len());
        contents.push(Content::Bytes(read_stdin()?));
    }
    let task = Draft { name, inputs, stdin, params: Case::new() };
    Ok(Inputs { contents, tasks: vec![task], ..Inputs::default() })
}

impl Inputs {
    /// Every task once for every case. Arguments that name a task's file by `{}` go on doing so:
    /// the name of the task says more than that now.
    pub(crate) fn times(self, grid: &Grid, args: &mut [String]) -> Result<Self, Failure> {
        if grid.is_empty() {
            return Ok(self);
        }
        grid.check(self.tasks.len())?;
        if self.each && grid.has(EACH) {
            return Err(Failure::usage(format!("{EACH} is the name of the file with --each"))
                .next("give this parameter another name"));
        }
        if self.each {
            args.iter_mut().for_each(|arg| *arg = arg.replace("{}", &format!("{{{EACH}}}")));
        }
        if grid.count().saturating_mul(self.tasks.len() as u64) > ROWS as u64 {
            let each = self.each;
            let row = |task: Draft| match each {
                true => Draft { params: vec![(EACH.into(), task.name.clone())], ..task },
                false => Draft { name: String::new(), ..task },
            };
            let tasks = self.tasks.into_iter().map(row).collect();
            return Ok(Self { tasks, axes: grid.axes().to_vec(), ..self });
        }
        let cases = grid.cases();
        let mut tasks = Vec::with_capacity(self.tasks.len() * cases.len());
        for task in self.tasks {
            let file = self.each.then_some(task.name.as_str());
            let known = file.map(|file| (EACH.to_string(), file.to_string()));
            for case in &cases {
                let name = case_name(file, case);
                let params = known.iter().chain(case).cloned().collect();
                tasks.push(Draft { name, params, ..task.clone() });
            }
        }
        Ok(Self { tasks, ..self })
    }
}

fn check_count(count: usize) -> Result<(), Failure> {
    if count <= limits::TASKS as usize {
        return Ok(());
    }
    let (got, most) = (text::number(count as u64), text::number(limits::TASKS.into()));
    Err(Failure::usage(format!("{got} files; one job has at most {most} tasks"))
        .next("split the sweep into several jobs"))
}

fn read_stdin() -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(STDIN_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file(Path::new("stdin"), &error))?;
    if bytes.len() as u64 > STDIN_BYTES {
        return Err(Failure::usage(
            "more than 64 MiB on stdin; write it to a file and use --input",
        ));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::files::tests::dir_with;

    fn swept(dir: &tempfile::TempDir, rest: &str) -> Inputs {
        let pattern = dir.path().join(rest).to_str().unwrap().into();
        sweep(&[pattern], &files::From::default()).unwrap()
    }

    fn names(inputs: &Inputs) -> Vec<&str> {
        inputs.tasks.iter().map(|task| task.name.as_str()).collect()
    }

    fn grid(text: &str) -> Grid {
        Grid::of(&[text.into()], None, None).unwrap()
    }

    #[test]
    fn a_sweep_has_one_task_for_each_file() {
        let dir = dir_with(&["b.csv", "a.csv"]);
        let inputs = swept(&dir, "*.csv");
        assert_eq!(names(&inputs), ["a.csv", "b.csv"]);
        assert_eq!(inputs.tasks[1].inputs, [("b.csv".to_string(), 1)]);
        assert_eq!(inputs.contents[1], Content::File(dir.path().join("b.csv")));
    }

    #[test]
    fn what_is_not_there_or_no_file_is_said() {
        let dir = dir_with(&["sub/x"]);
        for path in ["missing", "sub"] {
            let failure = single(&[dir.path().join(path)]).unwrap_err();
            assert!(failure.message.contains(path), "{failure}");
        }
    }

    #[test]
    fn a_single_task_is_called_as_its_only_input() {
        let dir = dir_with(&["a", "b"]);
        let path = |name: &str| dir.path().join(name);
        assert_eq!(names(&single(&[]).unwrap()), ["task"]);
        assert_eq!(names(&single(&[path("a")]).unwrap()), ["a"]);
        let both = single(&[path("b"), path("a")]).unwrap();
        assert_eq!((names(&both), both.tasks[0].inputs.len()), (vec!["task"], 2));
        assert_eq!(both.tasks[0].inputs[0].0, "a");
    }

    #[test]
    fn every_file_runs_with_every_case_and_arguments_still_name_the_file() {
        let dir = dir_with(&["a.csv", "b.csv"]);
        let mut args = vec!["/in/{}".to_string(), "{x}".into()];
        let inputs = swept(&dir, "*.csv").times(&grid("x=1,2"), &mut args).unwrap();
        assert_eq!(names(&inputs), ["a.csv,x=1", "a.csv,x=2", "b.csv,x=1", "b.csv,x=2"]);
        assert_eq!(inputs.contents.len(), 2, "each file once");
        let task = &inputs.tasks[3];
        assert_eq!(task.inputs, [("b.csv".to_string(), 1)]);
        let params = [("each".to_string(), "b.csv".to_string()), ("x".into(), "2".into())];
        assert_eq!((task.params.as_slice(), args[0].as_str()), (&params[..], "/in/{each}"));
        let taken = swept(&dir, "*.csv").times(&grid("each=1"), &mut args).unwrap_err();
        assert!(taken.message.contains("name of the file"), "{taken}");
    }

    #[test]
    fn cases_alone_share_the_inputs() {
        let dir = dir_with(&["a"]);
        let mut args = vec!["{}".to_string()];
        let inputs = single(&[dir.path().join("a")]).unwrap();
        let inputs = inputs.times(&grid("x=1..3"), &mut args).unwrap();
        assert_eq!(names(&inputs), ["x=1", "x=2", "x=3"]);
        assert_eq!((inputs.contents.len(), args[0].as_str()), (1, "{}"));
        let plain = single(&[]).unwrap();
        assert_eq!(plain.clone().times(&Grid::default(), &mut args).unwrap(), plain);
        let grid = single(&[]).unwrap().times(&grid("x=1..10001"), &mut args).unwrap();
        assert_eq!((names(&grid), grid.axes.len()), (vec![""], 1), "computed");
        let many = single(&[])
            .unwrap()
            .times(&Grid::of(&["x=1..1000001".into()], None, None).unwrap(), &mut args)
            .unwrap_err();
        assert!(many.message.contains("1,000,001"), "{many}");
    }
}
