//! `polity man`: the manual pages, one for each command.

use super::{Cli, Context};
use crate::{exit::Exit, failure::Failure, text};
use clap::{Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};
use std::{fs, io, path::PathBuf};

const AFTER: &str = "\
Examples:
  polity man | man -l -                     the page polity(1)
  polity man job explain | man -l -         the page polity-job-explain(1)
  polity man --dir ~/.local/share/man/man1  all of them";

/// `polity man`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// Whose page is printed. Usually that of polity itself
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
    /// Write every page to this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// A manual page.
struct Page {
    /// Of its file: `polity-job-list.1`.
    name: String,
    /// In roff.
    text: String,
}

pub(super) fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let out = context.out;
    let Some(dir) = args.dir else {
        let page = page(command(&args.command)?)?;
        out.data(&page.text, || page.text.clone())?;
        return Ok(Exit::Success);
    };
    let pages = pages()?;
    fs::create_dir_all(&dir).map_err(|error| Failure::file(&dir, &error))?;
    let mut files = Vec::new();
    for page in &pages {
        let path = dir.join(&page.name);
        fs::write(&path, &page.text).map_err(|error| Failure::file(&path, &error))?;
        files.push(path);
    }
    let lines = || files.iter().map(|path| format!("{}\n", path.display())).collect();
    out.data(&files, lines)?;
    out.say(format!("{} are in {}", text::plural(pages.len(), "page"), dir.display()));
    Ok(Exit::Success)
}

/// All commands, each with what it inherits.
fn built() -> Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

/// The command with these words.
fn command(words: &[String]) -> Result<Command, Failure> {
    let mut command = built();
    for word in words {
        let found = visible(&command).find(|sub| sub.get_name() == word).cloned();
        command = found.ok_or_else(|| {
            Failure::usage(format!("there is no command 'polity {}'", words.join(" ")))
                .next("see which there are with: polity --help")
        })?;
    }
    Ok(command)
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

fn pages() -> Result<Vec<Page>, Failure> {
    let mut commands = vec![built()];
    let mut pages = Vec::new();
    while let Some(command) = commands.pop() {
        commands.extend(visible(&command).cloned());
        pages.push(page(command)?);
    }
    pages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pages)
}

fn page(command: Command) -> Result<Page, Failure> {
    let sections = sections(&command);
    let subcommands = visible(&command).next().is_some();
    let man = Man::new(command)
        .source(concat!("polity ", env!("CARGO_PKG_VERSION")))
        .manual("Polity's manual");
    let mut bytes = Vec::new();
    let written = (|| -> io::Result<()> {
        man.render_title(&mut bytes)?;
        man.render_name_section(&mut bytes)?;
        man.render_synopsis_section(&mut bytes)?;
        man.render_description_section(&mut bytes)?;
        man.render_options_section(&mut bytes)?;
        if subcommands {
            man.render_subcommands_section(&mut bytes)?;
        }
        sections.to_writer(&mut bytes)
    })();
    written.map_err(Failure::internal)?;
    let text = String::from_utf8(bytes).map_err(Failure::internal)?;
    Ok(Page { name: man.get_filename(), text })
}

/// What stands under the options, as sections. There a line that ends in a colon heads the lines
/// under it; if it stands at the margin and they do not, it heads a section.
fn sections(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let Some(after) = command.get_after_long_help().or_else(|| command.get_after_help()) else {
        return roff;
    };
    let after = after.to_string();
    let mut in_notes = false;
    for paragraph in after.split("\n\n") {
        let mut lines: Vec<_> = paragraph.lines().collect();
        match (lines[0].strip_suffix(':'), lines.get(1)) {
            (Some(title), Some(second)) if second.starts_with(' ') && !title.contains(' ') => {
                roff.control("SH", [title.to_uppercase().as_str()]);
                in_notes = false;
                lines.remove(0);
            }
            (Some("Exit codes"), _) => {
                roff.control("SH", ["EXIT STATUS"]);
                in_notes = false;
                lines.remove(0);
            }
            _ if in_notes => drop(roff.control("PP", [])),
            _ => {
                roff.control("SH", ["NOTES"]);
                in_notes = true;
            }
        }
        verbatim(&mut roff, &lines);
    }
    roff
}

/// Lines as they are: indented ones are columns or what is typed, and may not be filled.
fn verbatim(roff: &mut Roff, lines: &[&str]) {
    let mut filled = true;
    for line in lines {
        let typed = line.starts_with(' ');
        if typed == filled {
            roff.control(if typed { "nf" } else { "fi" }, []);
            filled = !typed;
        }
        roff.text([roman(*line)]);
    }
    if !filled {
        roff.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::world::{House, type_in},
        *,
    };

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_command_has_a_page_that_names_it_and_its_options() {
        let pages = pages().unwrap();
        for name in ["polity.1", "polity-run.1", "polity-job-explain.1", "polity-man.1"] {
            assert!(pages.iter().any(|page| page.name == name), "{name}");
        }
        for Page { name, text } in &pages {
            let title = name.strip_suffix(".1").unwrap();
            assert!(text.contains(&format!(".TH {title} 1 ")), "{name}");
            assert!(text.contains(&format!("{} \\- ", title.replace('-', "\\-"))), "{name}");
            for section in [".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS"] {
                assert!(text.contains(section), "{name}: {section}");
            }
            assert!(text.contains("\\-\\-json"), "{name} lacks what every command has");
            assert!(!text.contains("\\-\\-background"), "{name} shows what is hidden");
        }
    }

    #[test]
    fn what_stands_under_the_options_are_sections_of_their_own() {
        let page = page(command(&words(&["verify"])).unwrap()).unwrap();
        let at = |what: &str| page.text.find(what).unwrap_or_else(|| panic!("{what}"));
        let order = [".SH NOTES", ".SH \"EXIT STATUS\"", ".SH EXAMPLES", "polity verify out/"];
        assert!(order.map(at).is_sorted(), "{}", page.text);
    }

    #[test]
    fn the_pages_of_a_directory_are_those_that_are_printed() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("new/man1");
        let typed = type_in(&House::default(), &["man", "--dir", at.to_str().unwrap()]);
        assert_eq!(typed, Exit::Success);
        assert_eq!(fs::read_dir(&at).unwrap().count(), pages().unwrap().len());
        let printed = page(command(&words(&["job", "list"])).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(at.join(&printed.name)).unwrap(), printed.text);
        assert_eq!(command(&words(&["job", "nonsense"])).unwrap_err().exit, Exit::Usage);
    }
}
