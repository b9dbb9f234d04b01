//! The files that `--each` names: paths, patterns, lists of paths. And what they are called.

use super::layout;
use crate::{data, failure::Failure};
use glob::Pattern;
use protocol::limits;
use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs,
    io::Read,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

/// Bytes of a list of paths.
const LIST_BYTES: u64 = 64 << 20;

/// How patterns are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct From<'a> {
    /// Where relative patterns begin, if not here.
    pub(crate) dir: Option<&'a Path>,
    /// Paths in lists end with a zero byte instead of a line break.
    pub(crate) null: bool,
}

/// The files, in the order given; those that one pattern matches by name. Patterns may be plain
/// paths: a shell that expands them first changes nothing. `-` is a list of paths on stdin, `@FILE`
/// one in a file.
pub(crate) fn all(patterns: &[String], from: &From<'_>) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut read = false;
    for pattern in patterns {
        match pattern.strip_prefix('@') {
            _ if pattern == "-" => {
                // A second time there is nothing left on it.
                if !std::mem::replace(&mut read, true) {
                    files.extend(list("stdin", &stdin()?, from.null)?);
                }
            }
            Some(path) => {
                let path = from.dir.map_or_else(|| path.into(), |dir| dir.join(path));
                let bytes = data::read_bounded(&path, LIST_BYTES)
                    .map_err(|error| Failure::file(&path, &error))?;
                files.extend(list(&path.display().to_string(), &bytes, from.null)?);
            }
            None => files.extend(matches(pattern, from.dir)?),
        }
    }
    Ok(files)
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(LIST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::file(Path::new("stdin"), &error))?;
    if bytes.len() as u64 > LIST_BYTES {
        return Err(Failure::usage("a list of more than 64 MiB on stdin"));
    }
    Ok(bytes)
}

/// The paths in a list. Empty ones are left out.
fn list(name: &str, bytes: &[u8], null: bool) -> Result<Vec<PathBuf>, Failure> {
    let end = if null { 0 } else { b'\n' };
    let mut paths = Vec::new();
    for (at, entry) in bytes.split(|byte| *byte == end).enumerate() {
        let entry = if null { entry } else { entry.strip_suffix(b"\r").unwrap_or(entry) };
        if entry.is_empty() {
            continue;
        }
        let path = PathBuf::from(OsStr::from_bytes(entry));
        let wrong = |reason: String| Failure::usage(format!("{name}:{}: {reason}", at + 1));
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {
                let shown = path.display();
                return Err(wrong(format!("{shown} is a directory")).next("list its files"));
            }
            Ok(_) => paths.push(path),
            Err(_) if !null && entry.contains(&0) => {
                return Err(wrong("it has zero bytes in it".into())
                    .next("for a list of 'find -print0' say --null"));
            }
            Err(error) => return Err(wrong(Failure::file(&path, &error).message)),
        }
    }
    if paths.is_empty() {
        return Err(Failure::usage(format!("no file is listed in {name}")));
    }
    Ok(paths)
}

/// The files that match a pattern. Directories that do are left out.
fn matches(pattern: &str, dir: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
    let literal = dir.map_or_else(|| pattern.into(), |dir| dir.join(pattern));
    if literal.is_file() {
        return Ok(vec![literal]);
    }
    if literal.is_dir() {
        return Err(Failure::usage(format!("{} is a directory", literal.display()))
            .next(format!("for one task for each file in it: --each '{}/*'", literal.display())));
    }
    let whole = match dir {
        Some(dir) if !Path::new(pattern).is_absolute() => {
            let dir = dir.to_str().ok_or_else(|| {
                Failure::usage(format!("{}: its name is not plain UTF-8", dir.display()))
            })?;
            format!("{}/{pattern}", Pattern::escape(dir))
        }
        _ => pattern.to_string(),
    };
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
    let paths = glob::glob_with(&whole, options)
        .map_err(|e| Failure::usage(format!("'{pattern}' is no pattern: {e}")))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|e| Failure::file(e.path(), e.error()))?;
        if !path.is_dir() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Failure::usage(format!("no file matches '{pattern}'"))
            .next("quote a pattern so that it is the same everywhere: --each 'data/*.csv'"));
    }
    Ok(files)
}

/// Files under their own names, each once. Different files of one name are called by as much of
/// their paths as tells them apart: `one/x.csv` and `two/x.csv` become `one_x.csv` and `two_x.csv`.
pub(crate) fn named(paths: Vec<PathBuf>) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut named = own_names(paths)?;
    for group in same_names(&named) {
        let whole: Vec<_> = group.iter().map(|at| named[*at].1.canonicalize()).collect();
        let mut paths = Vec::new();
        for (at, path) in group.iter().zip(whole) {
            paths.push(path.map_err(|error| Failure::file(&named[*at].1, &error))?);
        }
        for (at, name) in group.iter().zip(apart(&paths)) {
            check_name(&name, &named[*at].1)?;
            named[*at].0 = name;
        }
    }
    refuse_same(named)
}

/// Files under their own names, each once. Different files of one name are refused.
pub(crate) fn unique(paths: Vec<PathBuf>) -> Result<Vec<(String, PathBuf)>, Failure> {
    refuse_same(own_names(paths)?)
}

fn refuse_same(named: Vec<(String, PathBuf)>) -> Result<Vec<(String, PathBuf)>, Failure> {
    let Some(group) = same_names(&named).into_iter().next() else { return Ok(named) };
    let name = &named[group[0]].0;
    let (one, two) = (named[group[0]].1.display(), named[group[1]].1.display());
    Err(Failure::usage(format!("two inputs are named {name}: {one} and {two}"))
        .next("inputs have no directories in a job; rename one of them"))
}

/// Leaves out files that come again, as when two patterns match them.
fn own_names(paths: Vec<PathBuf>) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut named = Vec::with_capacity(paths.len());
    for path in paths {
        let name = path.file_name().and_then(OsStr::to_str).ok_or_else(|| not_plain(&path))?;
        check_name(name, &path)?;
        named.push((name.to_string(), path));
    }
    let mut again = HashSet::new();
    for group in same_names(&named) {
        let mut seen = HashSet::new();
        for at in group {
            // What cannot be resolved cannot be read either, which is said when it is.
            let path = &named[at].1;
            if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
                again.insert(at);
            }
        }
    }
    let mut at = 0;
    named.retain(|_| {
        at += 1;
        !again.contains(&(at - 1))
    });
    Ok(named)
}

fn not_plain(path: &Path) -> Failure {
    Failure::usage(format!("{}: its name is not plain UTF-8; rename it", path.display()))
}

fn check_name(name: &str, path: &Path) -> Result<(), Failure> {
    if name.chars().any(char::is_control) {
        return Err(not_plain(path));
    }
    if name.len() > limits::NAME_BYTES {
        let (shown, most) = (path.display(), limits::NAME_BYTES);
        return Err(Failure::usage(format!("{shown}: a name has at most {most} bytes")));
    }
    if layout::is_reserved(name) {
        return Err(Failure::usage(format!("{}: this name is ours; rename it", path.display())));
    }
    Ok(())
}

/// Places of entries that share their names, group by group.
fn same_names(named: &[(String, PathBuf)]) -> Vec<Vec<usize>> {
    let mut groups = HashMap::<&str, Vec<usize>>::with_capacity(named.len());
    for (at, (name, _)) in named.iter().enumerate() {
        groups.entry(name).or_default().push(at);
    }
    let mut groups: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort();
    groups
}

/// Names of different whole paths: what comes after the directories that they share.
fn apart(paths: &[PathBuf]) -> Vec<String> {
    let parts = |path: &PathBuf| -> Vec<String> {
        let normal = path.components().filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            _ => None,
        });
        normal.collect()
    };
    let all: Vec<_> = paths.iter().map(parts).collect();
    let mut shared = 0;
    // The last part is the name itself.
    while all.iter().all(|parts| parts.len() > shared + 1 && parts[shared] == all[0][shared]) {
        shared += 1;
    }
    all.iter().map(|parts| parts[shared..].join("_")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::exit::Exit;

    /// A directory with files of these names, which say what they are called.
    pub(crate) fn dir_with(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        dir
    }

    fn found(dir: &tempfile::TempDir, rest: &[&str]) -> Result<Vec<String>, Failure> {
        let patterns: Vec<_> = rest.iter().map(|rest| (*rest).to_string()).collect();
        let from = From { dir: Some(dir.path()), null: false };
        let named = named(all(&patterns, &from)?)?;
        Ok(named.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn files_come_in_the_order_given_and_matches_by_name_each_once() {
        let dir = dir_with(&["b.csv", "a.csv", "c.txt", ".hidden.csv", "sub.csv/x"]);
        assert_eq!(found(&dir, &["*.csv", "a.csv"]).unwrap(), ["a.csv", "b.csv"]);
        assert_eq!(found(&dir, &["c.txt", "*.csv"]).unwrap(), ["c.txt", "a.csv", "b.csv"]);
    }

    #[test]
    fn a_name_with_pattern_characters_is_a_file_first() {
        let dir = dir_with(&["a[1].csv", "d[2]/x.csv"]);
        assert_eq!(found(&dir, &["a[1].csv"]).unwrap(), ["a[1].csv"]);
        let below = From { dir: Some(&dir.path().join("d[2]")), null: false };
        assert_eq!(all(&["*.csv".into()], &below).unwrap().len(), 1, "the directory is no pattern");
    }

    #[test]
    fn files_of_one_name_are_told_apart_by_their_directories() {
        let dir = dir_with(&["runs/1/out/x.csv", "runs/2/out/x.csv", "runs/2/y.csv"]);
        let names = found(&dir, &["runs/*/out/x.csv", "runs/2/y.csv"]).unwrap();
        assert_eq!(names, ["1_out_x.csv", "2_out_x.csv", "y.csv"]);
    }

    #[test]
    fn files_that_no_name_tells_apart_are_said_with_both_their_paths() {
        let dir = dir_with(&["a/b_x", "a_b/x", "c/x", "a/x"]);
        let failure = found(&dir, &["a/b_x", "a/x", "c/x", "a_x"]).unwrap_err();
        assert!(failure.message.contains("no file matches"), "{failure}");
        let dir = dir_with(&["a/x", "c/x", "d/a_x"]);
        let failure = found(&dir, &["a/x", "c/x", "d/a_x"]).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("a/x") && failure.message.contains("d/a_x"), "{failure}");
        let paths = vec![dir.path().join("a/x"), dir.path().join("c/x")];
        assert!(unique(paths).unwrap_err().message.contains("two inputs are named x"));
    }

    #[test]
    fn directories_are_refused_with_what_to_type() {
        let dir = dir_with(&["sub/x"]);
        let failure = found(&dir, &["sub"]).unwrap_err();
        assert!(failure.next.unwrap().contains("sub/*'"));
        assert!(found(&dir, &["*.csv"]).unwrap_err().message.contains("no file matches"));
    }

    #[test]
    fn lists_have_one_path_in_each_line_or_before_each_zero() {
        let dir = dir_with(&["a.csv", "b c.csv"]);
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
        let (a, b) = (path("a.csv"), path("b c.csv"));
        let write = |text: String| fs::write(dir.path().join("list.txt"), text).unwrap();
        write(format!("{b}\r\n\n{a}\n"));
        assert_eq!(found(&dir, &["@list.txt"]).unwrap(), ["b c.csv", "a.csv"]);
        write(format!("{b}\0{a}\0"));
        let from = From { dir: Some(dir.path()), null: true };
        assert_eq!(all(&["@list.txt".into()], &from).unwrap().len(), 2);
        let failure = found(&dir, &["@list.txt"]).unwrap_err();
        assert!(failure.next.unwrap().contains("--null"));
        write(format!("{a}\n{}\n", path("gone")));
        assert!(found(&dir, &["@list.txt"]).unwrap_err().message.contains("list.txt:2: "));
        write(format!("{}\n", path("")));
        assert!(found(&dir, &["@list.txt"]).unwrap_err().message.contains("directory"));
        write("\n".into());
        assert!(found(&dir, &["@list.txt"]).unwrap_err().message.contains("no file is listed"));
    }

    #[test]
    fn names_that_results_use_themselves_are_refused() {
        let dir = dir_with(&["receipt.polity"]);
        assert!(found(&dir, &["receipt.polity"]).unwrap_err().message.contains("ours"));
    }
}
