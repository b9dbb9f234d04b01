//! A page of the documentation as what it is: files, and a session at a terminal.
//!
//! A fenced block ` ```LANGUAGE NAME ` is a file of that name. A block ` ```console ` is typed:
//! lines after `$ ` are, `\` at the end goes on, and the others are what is seen then. There `…`
//! stands for any text, and for any lines where it is alone. All other blocks are left alone.

/// What a reader does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Writes a file.
    File { name: String, text: String },
    /// Types a line, and sees lines.
    Typed { command: String, seen: Vec<String> },
}

/// The steps of a page, in their order.
pub(crate) fn steps(markdown: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match info.split_once(' ') {
            Some((_, name)) => {
                let text = block.iter().map(|line| format!("{line}\n")).collect();
                steps.push(Step::File { name: name.into(), text });
            }
            None if info == "console" => steps.extend(session(&block)),
            None => {}
        }
    }
    steps
}

fn session(block: &[&str]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = block.iter().copied().peekable();
    while let Some(line) = lines.next() {
        let first = line.strip_prefix("$ ").unwrap_or_else(|| panic!("nothing typed: {line}"));
        let mut command = first.to_string();
        while command.ends_with('\\') {
            command.push('\n');
            command.push_str(lines.next().expect("the line goes on"));
        }
        let mut seen = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            seen.push(line.trim_end().to_string());
        }
        steps.push(Step::Typed { command, seen });
    }
    steps
}

/// Whether `got` is what a page says that is seen.
pub(crate) fn matches(seen: &[String], got: &[&str]) -> bool {
    match (seen.split_first(), got.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((line, rest)), _) if line == "…" => {
            (0..=got.len()).any(|skipped| matches(rest, &got[skipped..]))
        }
        (Some(_), None) => false,
        (Some((line, rest)), Some((first, more))) => {
            line_matches(line, first) && matches(rest, more)
        }
    }
}

fn line_matches(seen: &str, got: &str) -> bool {
    let parts: Vec<&str> = seen.split('…').collect();
    let (Some((first, rest)), true) = (parts.split_first(), parts.len() > 1) else {
        return seen == got.trim_end();
    };
    let Some(mut left) = got.trim_end().strip_prefix(first) else { return false };
    let (last, middle) = rest.split_last().expect("there are two parts at least");
    for part in middle {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

#[test]
fn files_and_what_is_typed_are_told_from_the_rest() {
    let page = "Text\n```c a.c\nint a;\n```\n```sh\nleft alone\n```\n```console\n$ a \\\n  b\nseen\n\
                $ c\n```\n";
    let typed = |command: &str, seen: &[&str]| Step::Typed {
        command: command.into(),
        seen: seen.iter().map(ToString::to_string).collect(),
    };
    let file = Step::File { name: "a.c".into(), text: "int a;\n".into() };
    assert_eq!(steps(page), [file, typed("a \\\n  b", &["seen"]), typed("c", &[])]);
}

#[test]
fn dots_stand_for_any_text_and_any_lines() {
    let seen = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (page, got, fits) in [
        (&["a", "b"][..], &["a", "b"][..], true),
        (&["a"], &["a", "b"], false),
        (&["a", "…"], &["a"], true),
        (&["…", "c"], &["a", "b", "c"], true),
        (&["…", "c"], &["a", "b"], false),
        (&["pid …, in …"], &["pid 17, in /tmp"], true),
        (&["pid …, in …"], &["pid 17 in /tmp"], false),
        (&["… of 2"], &["1 of 3"], false),
    ] {
        assert_eq!(matches(&seen(page), got), fits, "{page:?} {got:?}");
    }
}
