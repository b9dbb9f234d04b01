//! `polity completions`: what a shell needs to complete this command line.

use super::{Cli, Context};
use crate::{exit::Exit, failure::Failure};
use clap::{Command, CommandFactory};

const AFTER: &str = "\
The package for Debian brings them along. Else put them where the shell looks:

Examples:
  polity completions bash > ~/.local/share/bash-completion/completions/polity
  polity completions zsh > ~/.zfunc/_polity          a directory in $fpath
  polity completions fish > ~/.config/fish/completions/polity.fish";

/// `polity completions`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// The shells that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let script = script(args.shell)?;
    context.out.data(&script, || script.clone())?;
    Ok(Exit::Success)
}

fn script(shell: Shell) -> Result<String, Failure> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut command = Cli::command();
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut command, "polity", &mut bytes);
    let mut script = String::from_utf8(bytes).map_err(Failure::internal)?;
    // Those for bash and zsh offer what is hidden, too: in a list of words, and on a line of its own.
    for option in hidden(&command) {
        script = script.replace(&format!(" --{option} "), " ");
        let line = format!("'--{option}[");
        script = script.split_inclusive('\n').filter(|at| !at.starts_with(&line)).collect();
    }
    Ok(script)
}

/// Options of all commands that no help shows.
fn hidden(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter(|arg| arg.is_hide_set());
    let own = own.filter_map(|arg| arg.get_long().map(str::to_string));
    own.chain(command.get_subcommands().flat_map(hidden)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use std::{io::Write, process::Stdio};

    #[test]
    fn every_shell_completes_every_command() {
        let mut paths = vec![(String::new(), Cli::command())];
        let mut names = Vec::new();
        while let Some((path, command)) = paths.pop() {
            for sub in command.get_subcommands() {
                names.push(sub.get_name().to_string());
                paths.push((format!("{path} {}", sub.get_name()), sub.clone()));
            }
        }
        for shell in Shell::value_variants() {
            let script = script(*shell).unwrap();
            for name in &names {
                assert!(script.contains(name), "{shell:?} does not know {name}");
            }
            for option in ["placement", "genesis", "json"] {
                assert!(script.contains(option), "{shell:?} does not know --{option}");
            }
            for option in hidden(&Cli::command()) {
                assert!(!script.contains(&format!("--{option}")), "{shell:?} shows --{option}");
            }
        }
    }

    #[test]
    fn the_script_for_bash_is_one_that_bash_reads() {
        let mut bash = std::process::Command::new("bash")
            .args(["--norc", "-n"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        bash.stdin.take().unwrap().write_all(script(Shell::Bash).unwrap().as_bytes()).unwrap();
        assert!(bash.wait().unwrap().success());
    }
}
