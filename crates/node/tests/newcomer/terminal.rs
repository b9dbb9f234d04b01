//! Colours and things that move are for terminals, and for people who did not ask for none.

use crate::person::{Newcomer, POLITY};
use std::{fs, process::Command};

/// A program that does nothing, well.
const NOTHING: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// What a command says, on stdout and on stderr.
fn said(command: &mut Command) -> String {
    let output = command.env("TERM", "xterm-256color").output().unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat()
}

/// The same command at a terminal of its own, which `script` (of util-linux) makes.
fn at_a_terminal(newcomer: &Newcomer, line: &str) -> Command {
    let mut command = newcomer.command("script");
    command.args(["--quiet", "--command", &format!("'{POLITY}' {line}"), "/dev/null"]);
    command
}

/// Whether a text sets colours or weights (ECMA-48, SGR).
fn is_coloured(text: &str) -> bool {
    text.split("\x1b[").skip(1).any(|rest| {
        rest.find(|c: char| !c.is_ascii_digit() && c != ';')
            .is_some_and(|at| rest[at..].starts_with('m'))
    })
}

#[test]
fn without_a_terminal_there_is_plain_text_only() {
    let newcomer = Newcomer::new();
    fs::write(newcomer.at("work/nothing.wasm"), wat::parse_str(NOTHING).unwrap()).unwrap();
    for line in
        ["--help", "run --help", "nonsense", "run absent.wasm", "status", "run nothing.wasm"]
    {
        let text = said(newcomer.command(POLITY).args(line.split(' ')).env("CLICOLOR_FORCE", ""));
        assert!(!text.is_empty() && !text.contains(['\x1b', '\r']), "{line}: {text:?}");
    }
}

#[test]
fn a_terminal_has_colours_unless_they_are_not_wanted() {
    let newcomer = Newcomer::new();
    fs::write(newcomer.at("work/nothing.wasm"), wat::parse_str(NOTHING).unwrap()).unwrap();
    for line in ["--help", "run absent.wasm"] {
        let mut command = at_a_terminal(&newcomer, line);
        let text = said(command.env_remove("NO_COLOR"));
        assert!(is_coloured(&text), "{line}: {text:?}");
        let text = said(command.env("NO_COLOR", "1"));
        assert!(!is_coloured(&text) && text.len() > 20, "{line}: {text:?}");
    }
    // A bar may move without them.
    let text = said(at_a_terminal(&newcomer, "run nothing.wasm").env("NO_COLOR", "1"));
    assert!(!is_coloured(&text) && text.contains("1 of 1 task final"), "{text:?}");
}
