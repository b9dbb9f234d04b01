//! Rust files, and which of their lines are code that ships.

use crate::rooms::root;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// One file.
pub(crate) struct File {
    /// Its path below the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Whether the whole file is tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "benches")
    }

    /// Number and text of every line outside `#[cfg(test)]` items.
    pub(crate) fn shipped(&self) -> Vec<(usize, &str)> {
        let mut lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let mut shipped = Vec::new();
        while let Some((number, line)) = lines.next() {
            if line.trim() == "#[cfg(test)]" {
                skip_item(&mut lines);
            } else {
                shipped.push((number, line));
            }
        }
        shipped
    }

    /// [`File::shipped`] without comments.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.shipped().into_iter().map(|(number, line)| (number, without_comment(line)))
    }
}

/// Skips the item after an attribute: to its `;`, or to the brace that closes it, which formatting
/// puts alone under its first line.
fn skip_item<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) {
    let Some((_, head)) = lines.find(|(_, line)| !line.trim_start().starts_with("#[")) else {
        return;
    };
    let complete = |line: &str| {
        let end = line.trim_end();
        end.ends_with(';') || end.ends_with(',') || end.ends_with('}')
    };
    if complete(head) {
        return;
    }
    let indent = &head[..head.len() - head.trim_start().len()];
    let closes = |line: &str| {
        line.strip_prefix(indent).is_some_and(|rest| matches!(rest, "}" | "};" | ");" | "},"))
    };
    lines.find(|(_, line)| closes(line));
}

fn without_comment(line: &str) -> &str {
    match line.find("//") {
        // `https://` in a text is no comment.
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    }
}

/// Whether `code` holds `word` by itself, not as a part of a longer name.
pub(crate) fn mentions(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(part)
            && (!word.ends_with(part) || !code[at + word.len()..].starts_with(part))
    })
}

/// Every Rust file below some directories of the root.
pub(crate) fn files(directories: &[&str]) -> Vec<File> {
    let root = root();
    let mut found = Vec::new();
    for directory in directories {
        walk(&root.join(directory), &mut found);
    }
    found.sort();
    let file = |path: PathBuf| File {
        path: path
            .strip_prefix(&root)
            .expect("below the root")
            .to_string_lossy()
            .replace('\\', "/"),
        text: fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
    };
    found.into_iter().map(file).collect()
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn tests_and_comments_are_told_from_code() {
    let text = "use a;\n#[cfg(test)]\nuse b;\nfn c() {} // d\n#[cfg(test)]\nmod tests {\n    fn e() {\n    }\n}\nfn f() {}\n";
    let file = File { path: "x.rs".into(), text: text.into() };
    let code: Vec<_> = file.code().collect();
    assert_eq!(code, [(1, "use a;"), (4, "fn c() {} "), (10, "fn f() {}")]);
}

#[test]
fn words_are_found_whole() {
    assert!(mentions("let t = Instant::now();", "Instant") && mentions("println!()", "println!"));
    assert!(!mentions("Instantly", "Instant") && !mentions("eprintln!()", "println!"));
}
