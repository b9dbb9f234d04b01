//! `wasi:cli`: arguments, environment, the standard streams, and the end.

use super::{
    call::{Call, Thing},
    interface::interface,
    streams::{InputStream, OutputStream},
};
use crate::{stop::Stop, wasi::cost};
use wasmtime::component::Resource;

interface! { ENVIRONMENT = "wasi:cli/environment" {
    call plain "get-environment" => environment();
    call plain "get-arguments" => arguments();
    call plain "initial-cwd" => working_directory();
}}

interface! { EXIT = "wasi:cli/exit" {
    call silent "exit" => exit(status: Result<(), ()>);
    call silent "exit-with-code" => exit_with_code(code: u8);
}}

interface! { STDIN = "wasi:cli/stdin" {
    call plain "get-stdin" => stdin();
}}

interface! { STDOUT = "wasi:cli/stdout" {
    call plain "get-stdout" => stdout();
}}

interface! { STDERR = "wasi:cli/stderr" {
    call plain "get-stderr" => stderr();
}}

interface! { TERMINAL_INPUT = "wasi:cli/terminal-input" {
    resource "terminal-input": TerminalInput;
}}

interface! { TERMINAL_OUTPUT = "wasi:cli/terminal-output" {
    resource "terminal-output": TerminalOutput;
}}

interface! { TERMINAL_STDIN = "wasi:cli/terminal-stdin" {
    call plain "get-terminal-stdin" => no_terminal_input();
}}

interface! { TERMINAL_STDOUT = "wasi:cli/terminal-stdout" {
    call plain "get-terminal-stdout" => no_terminal_output();
}}

interface! { TERMINAL_STDERR = "wasi:cli/terminal-stderr" {
    call plain "get-terminal-stderr" => no_terminal_output();
}}

/// No stream here is a terminal.
pub(crate) enum TerminalInput {}

impl Thing for TerminalInput {}

/// No stream here is a terminal.
pub(crate) enum TerminalOutput {}

impl Thing for TerminalOutput {}

impl Call<'_> {
    fn environment(&mut self) -> Result<Vec<(String, String)>, Stop> {
        self.pay_texts(self.world.env.len(), self.world.env.iter().map(String::len).sum())?;
        let pair = |text: &String| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        Ok(self.world.env.iter().map(pair).collect())
    }

    fn arguments(&mut self) -> Result<Vec<String>, Stop> {
        self.pay_texts(self.world.args.len(), self.world.args.iter().map(String::len).sum())?;
        Ok(self.world.args.clone())
    }

    fn pay_texts(&mut self, texts: usize, bytes: usize) -> Result<(), Stop> {
        self.pay(texts, cost::ENTRY)?;
        self.pay(bytes, 1)
    }

    /// Paths begin at the directories that are open from the start.
    fn working_directory(&mut self) -> Result<Option<String>, Stop> {
        Ok(None)
    }

    fn exit(&mut self, status: Result<(), ()>) -> Result<(), Stop> {
        Err(Stop::Exit(u32::from(status.is_err())))
    }

    fn exit_with_code(&mut self, code: u8) -> Result<(), Stop> {
        Err(Stop::Exit(code.into()))
    }

    fn stdin(&mut self) -> Result<Resource<InputStream>, Stop> {
        self.push(InputStream::Stdin)
    }

    fn stdout(&mut self) -> Result<Resource<OutputStream>, Stop> {
        self.push(OutputStream::Stdout)
    }

    fn stderr(&mut self) -> Result<Resource<OutputStream>, Stop> {
        self.push(OutputStream::Stderr)
    }

    fn no_terminal_input(&mut self) -> Result<Option<Resource<TerminalInput>>, Stop> {
        Ok(None)
    }

    fn no_terminal_output(&mut self) -> Result<Option<Resource<TerminalOutput>>, Stop> {
        Ok(None)
    }
}
