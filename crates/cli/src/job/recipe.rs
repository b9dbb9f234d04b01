//! A job file: the command line of a run in a file (TOML). Its keys are the long names of options,
//! without the dashes before them.

use crate::{data, failure::Failure};
use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};
use toml::{Table, Value};

/// Bytes of a job file.
const FILE_BYTES: u64 = 4 << 20;
/// Letters that may be wrong in a key for another one to be meant.
const WRONG: usize = 3;

/// The program, which is no option.
const PROGRAM: &str = "program";

/// Whether a program is a job file.
pub(crate) fn is_one(program: &Path) -> bool {
    program.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// What a job file says, as words of a command line: the program first, then `--key=value`. `keys`
/// are the options that it may name.
///
/// # Errors
/// What cannot be read, or is not known.
pub(crate) fn read(path: &Path, keys: &[&str]) -> Result<Vec<String>, Failure> {
    let bytes =
        data::read_bounded(path, FILE_BYTES).map_err(|error| Failure::file(path, &error))?;
    let shown = path.display();
    let wrong = |reason: String| Failure::usage(format!("{shown}: {reason}"));
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is no UTF-8 text".into()))?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| text[..span.start].lines().count().max(1));
        let at = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        wrong(format!("{at}{}", error.message()))
    })?;
    let Some(program) = table.get(PROGRAM) else {
        return Err(wrong("it names no program".into()).next("write: program = \"NAME.wasm\""));
    };
    let Some(program) = program.as_str() else {
        return Err(wrong("the program is no text".into()));
    };
    let mut words = vec![program.to_string()];
    for (key, value) in table.iter().filter(|(key, _)| *key != PROGRAM) {
        if !keys.contains(&key.as_str()) {
            let failure = wrong(format!("'{key}' is not known"));
            return Err(match nearest(key, keys) {
                Some(meant) => failure.next(format!("do you mean '{meant}'?")),
                None => failure.next(format!("there are: {PROGRAM}, {}", keys.join(", "))),
            });
        }
        let values = match value {
            Value::Array(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        for value in values {
            words.extend(word(key, value).map_err(|reason| wrong(format!("{key}: {reason}")))?);
        }
    }
    Ok(words)
}

fn word(key: &str, value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::String(text) => Ok(Some(format!("--{key}={text}"))),
        Value::Integer(number) => Ok(Some(format!("--{key}={number}"))),
        // As it was written, as far as it can be told.
        Value::Float(number) => Ok(Some(format!("--{key}={number}"))),
        Value::Boolean(true) => Ok(Some(format!("--{key}"))),
        Value::Boolean(false) => Ok(None),
        other => Err(format!("a {} makes no sense here", other.type_str())),
    }
}

/// The key that is meant by another word.
fn nearest<'a>(word: &str, keys: &[&'a str]) -> Option<&'a str> {
    let plain = word.replace('_', "-");
    let distance = |key: &&str| (wrong_letters(&plain, key), key.len());
    let best = keys.iter().copied().chain([PROGRAM]).min_by_key(distance)?;
    let enough = wrong_letters(&plain, best) <= WRONG.min(plain.len() / 2);
    enough.then_some(best)
}

/// Letters to add, leave out or change on the way from one word to the other (Levenshtein).
fn wrong_letters(one: &str, other: &str) -> usize {
    let other: Vec<_> = other.chars().collect();
    let mut row: Vec<_> = (0..=other.len()).collect();
    for (at, c) in one.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (place, letter) in other.iter().enumerate() {
            let change = before + usize::from(*letter != c);
            before = row[place + 1];
            row[place + 1] = change.min(before + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

/// Writes a job file. One that is there already must say the same.
pub(crate) fn write(path: &Path, lines: &[(&str, Value)]) -> Result<(), Failure> {
    let mut text = String::from("# A job for 'polity run'. Paths are as seen from this file.\n");
    for (key, value) in lines {
        text.push_str(&format!("{key} = {value}\n"));
    }
    let failed = |error: io::Error| Failure::file(path, &error);
    match fs::read(path) {
        Ok(same) if same == text.as_bytes() => return Ok(()),
        Ok(_) => {
            return Err(Failure::usage(format!("{}: another job file is there", path.display()))
                .next("remove it, or name another one with --save FILE"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    data::write_new(path, text.as_bytes()).map_err(failed)
}

/// The directory of a file.
pub(crate) fn dir_of(file: &Path) -> &Path {
    file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A relative path as seen from another directory than here. Absolute ones stay what they are.
pub(crate) fn seen_from(dir: &Path, path: &Path) -> Result<PathBuf, Failure> {
    if path.is_absolute() {
        return Ok(path.into());
    }
    let whole = |path: &Path| {
        let absolute = std::path::absolute(path).map_err(|error| Failure::file(path, &error))?;
        Ok::<_, Failure>(absolute)
    };
    // What lies behind a link is elsewhere than its path says.
    let dir = dir.canonicalize().map_err(|error| Failure::file(dir, &error))?;
    let here = Path::new(".").canonicalize().map_err(Failure::internal)?;
    let path = normal(&whole(&here.join(path))?);
    let dir = normal(&dir);
    let shared =
        dir.components().zip(path.components()).take_while(|(one, two)| one == two).count();
    let up = dir.components().skip(shared).map(|_| Component::ParentDir);
    let seen: PathBuf = up.chain(path.components().skip(shared)).collect();
    Ok(if seen.as_os_str().is_empty() { ".".into() } else { seen })
}

/// A path without `.` and, where it can be told, without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["each", "fuel", "param-file", "null", "memory", "verify"];

    fn read_text(text: &str) -> Result<Vec<String>, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.toml");
        fs::write(&path, text).unwrap();
        read(&path, &KEYS)
    }

    #[test]
    fn a_file_says_what_a_command_line_would() {
        let words = read_text(
            "program = \"p.wasm\"\neach = [\"a\", \"-b\"]\nfuel = 5\nnull = true\nmemory = \"64M\"\n",
        );
        let expected = ["p.wasm", "--each=a", "--each=-b", "--fuel=5", "--memory=64M", "--null"];
        assert_eq!(words.unwrap(), expected);
        assert_eq!(read_text("program = \"p\"\nnull = false\n").unwrap(), ["p"]);
    }

    #[test]
    fn what_is_not_known_is_named_with_what_may_be_meant() {
        for (text, said, next) in [
            ("program = \"p\"\nfule = 1\n", "'fule' is not known", "'fuel'"),
            ("program = \"p\"\nparam_file = \"x\"\n", "'param_file'", "'param-file'"),
            ("program = \"p\"\nzzz = 1\n", "'zzz'", "there are: program, each"),
            ("fuel = 1\n", "no program", "program ="),
        ] {
            let failure = read_text(text).unwrap_err();
            assert!(failure.message.contains(said), "{failure}");
            assert!(failure.next.as_ref().unwrap().contains(next), "{failure:?}");
        }
        for (text, said) in [
            ("program = 1\n", "no text"),
            ("program = \"p\"\nfuel = {}\n", "a table makes no sense"),
            ("program = \"p\"\n\nfuel =\n", "line 3"),
        ] {
            assert!(read_text(text).unwrap_err().message.contains(said), "{text}");
        }
    }

    #[test]
    fn a_file_is_never_written_over_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.toml");
        let lines = [("program", Value::from("p \"q\".wasm")), ("fuel", Value::from(5_i64))];
        write(&path, &lines).unwrap();
        write(&path, &lines).unwrap();
        assert_eq!(read(&path, &KEYS).unwrap(), ["p \"q\".wasm", "--fuel=5"]);
        assert!(write(&path, &lines[..1]).unwrap_err().message.contains("another job file"));
    }

    #[test]
    fn paths_are_seen_from_the_file() {
        let here = Path::new(".").canonicalize().unwrap();
        let seen = |dir: &str, path: &str| {
            seen_from(&here.join(dir), Path::new(path)).unwrap().display().to_string()
        };
        assert_eq!(seen("src", "x/../data/*.csv"), "../data/*.csv");
        assert_eq!(seen("src", "src/a.csv"), "a.csv");
        assert_eq!(seen("", "./a.csv"), "a.csv");
        assert_eq!(seen("src", "src"), ".");
        assert_eq!(seen("src", "/etc/hosts"), "/etc/hosts");
    }
}
