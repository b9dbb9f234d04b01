//! The inputs of a job: which files, under which names, for which task.

use super::{
    content::{Content, open_file},
    layout,
};
use crate::failure::Failure;
use bytes::Bytes;
use protocol::limits;
use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

/// Bytes that are taken from our own stdin.
const STDIN_BYTES: u64 = 64 << 20;

/// An input file under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) content: Content,
}

/// A task before its files have CIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) inputs: Vec<Source>,
    pub(crate) stdin: Option<Content>,
}

/// One task for each file that a pattern matches, in the order of their names. Patterns may be
/// plain paths: a shell that expands them first changes nothing.
pub(crate) fn sweep(patterns: &[String]) -> Result<Vec<Draft>, Failure> {
    let mut files = BTreeMap::new();
    for pattern in patterns {
        let mut found = false;
        for path in matches(pattern)? {
            found = true;
            add(&mut files, path)?;
        }
        if !found {
            return Err(Failure::usage(format!("no file matches '{pattern}'"))
                .next("quote a pattern so that it is the same everywhere: --each 'data/*.csv'"));
        }
    }
    if files.len() > limits::TASKS as usize {
        let (got, most) = (files.len(), limits::TASKS);
        return Err(Failure::usage(format!("{got} files; one job has at most {most} tasks")));
    }
    let task = |(name, path): (String, PathBuf)| Draft {
        name: name.clone(),
        inputs: vec![Source { name, content: Content::File(path) }],
        stdin: None,
    };
    Ok(files.into_iter().map(task).collect())
}

/// One task with all these files; `-` is our stdin, and becomes the program's.
pub(crate) fn single(paths: &[PathBuf]) -> Result<Draft, Failure> {
    let mut files = BTreeMap::new();
    let mut stdin = None;
    for path in paths {
        if path == Path::new("-") {
            if stdin.is_none() {
                stdin = Some(Content::Bytes(read_stdin()?));
            }
        } else {
            add(&mut files, path.clone())?;
        }
    }
    if files.len() > limits::INPUTS {
        let (got, most) = (files.len(), limits::INPUTS);
        return Err(Failure::usage(format!("{got} inputs; one task has at most {most}")));
    }
    let name = match files.keys().next() {
        Some(only) if files.len() == 1 => only.clone(),
        _ => "task".into(),
    };
    let source = |(name, path)| Source { name, content: Content::File(path) };
    Ok(Draft { name, inputs: files.into_iter().map(source).collect(), stdin })
}

fn matches(pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    let literal = Path::new(pattern);
    if literal.is_file() {
        return Ok(vec![literal.into()]);
    }
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
    let paths = glob::glob_with(pattern, options)
        .map_err(|e| Failure::usage(format!("'{pattern}' is no pattern: {e}")))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|e| Failure::file(e.path(), e.error()))?;
        if !path.is_dir() {
            files.push(path);
        }
    }
    Ok(files)
}

/// Adds a file that can be read, under a name that no other has.
fn add(files: &mut BTreeMap<String, PathBuf>, path: PathBuf) -> Result<(), Failure> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .filter(|name| !name.chars().any(char::is_control) && name.len() <= limits::NAME_BYTES)
        .ok_or_else(|| {
            let shown = path.display();
            Failure::usage(format!("{shown}: its name is not plain UTF-8; rename it"))
        })?
        .to_string();
    if layout::is_reserved(&name) {
        return Err(Failure::usage(format!("{}: this name is ours; rename it", path.display())));
    }
    open_file(&path).map_err(|error| Failure::file(&path, &error))?;
    match files.insert(name.clone(), path.clone()) {
        Some(other) if !same_file(&other, &path) => {
            let (one, two) = (other.display(), path.display());
            Err(Failure::usage(format!("two inputs are named {name}: {one} and {two}"))
                .next("inputs have no directories in a job; rename one of them"))
        }
        _ => Ok(()),
    }
}

/// Whether two paths are one file, as when two patterns match it.
fn same_file(one: &Path, two: &Path) -> bool {
    match (one.canonicalize(), two.canonicalize()) {
        (Ok(one), Ok(two)) => one == two,
        _ => false,
    }
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
    use crate::exit::Exit;
    use std::fs;

    fn dir_with(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        dir
    }

    fn pattern(dir: &tempfile::TempDir, rest: &str) -> String {
        dir.path().join(rest).to_str().unwrap().into()
    }

    #[test]
    fn a_sweep_has_one_task_for_each_match_in_the_order_of_names() {
        let dir = dir_with(&["b.csv", "a.csv", "c.txt", ".hidden.csv", "sub.csv/x"]);
        let tasks = sweep(&[pattern(&dir, "*.csv"), pattern(&dir, "a.csv")]).unwrap();
        let names: Vec<_> = tasks.iter().map(|task| task.name.as_str()).collect();
        assert_eq!(names, ["a.csv", "b.csv"]);
        assert_eq!(tasks[0].inputs[0].name, "a.csv");
    }

    #[test]
    fn a_name_with_pattern_characters_is_a_file_first() {
        let dir = dir_with(&["a[1].csv"]);
        assert_eq!(sweep(&[pattern(&dir, "a[1].csv")]).unwrap()[0].name, "a[1].csv");
    }

    #[test]
    fn two_files_of_one_name_are_said_with_both_their_paths() {
        let dir = dir_with(&["one/x.csv", "two/x.csv"]);
        let failure = sweep(&[pattern(&dir, "*/x.csv")]).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("one/x.csv") && failure.message.contains("two/x.csv"));
    }

    #[test]
    fn what_does_not_match_or_is_not_there_or_no_file_is_said() {
        let dir = dir_with(&["sub/x"]);
        assert!(sweep(&[pattern(&dir, "*.csv")]).unwrap_err().message.contains("no file matches"));
        for path in ["missing", "sub"] {
            let failure = single(&[dir.path().join(path)]).unwrap_err();
            assert!(failure.message.contains(path), "{failure}");
        }
    }

    #[test]
    fn a_single_task_is_called_as_its_only_input() {
        let dir = dir_with(&["a", "b"]);
        let path = |name: &str| dir.path().join(name);
        assert_eq!(single(&[]).unwrap().name, "task");
        assert_eq!(single(&[path("a")]).unwrap().name, "a");
        let both = single(&[path("b"), path("a")]).unwrap();
        assert_eq!((both.name.as_str(), both.inputs.len()), ("task", 2));
        assert_eq!(both.inputs[0].name, "a");
    }

    #[test]
    fn names_that_results_use_themselves_are_refused() {
        let dir = dir_with(&["receipt.polity"]);
        assert!(single(&[dir.path().join("receipt.polity")]).is_err());
    }
}
