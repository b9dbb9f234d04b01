//! The command line itself: what is understood, what is helped with.

use super::{
    super::{Cli, PROGRAM_FIRST, misuse},
    world::{House, type_in},
};
use crate::exit::Exit;
use clap::{Command, CommandFactory, Parser};

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn an_option_that_took_the_program_for_a_file_is_told() {
    let taken = |line: &str| {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        super::super::swallowed(&error)
    };
    assert!(taken("polity run --each a.csv p.wasm"));
    assert!(taken("polity run --input a.csv p.wasm"));
    assert!(!taken("polity run --detach"));
    assert!(!taken("polity run --each a.csv --colour red"));
}

#[test]
fn every_line_that_the_docs_show_is_understood() {
    let lines = [
        "polity demo --nodes 5 --keep",
        "polity demo --nodes 5 --liars 1 --keep",
        "polity demo --liars 0",
        "polity found LINE1 LINE2 --validators 4 --name co-op -o g.polity",
        "polity up --data DIR --genesis FILE",
        "polity up --join -",
        "polity up --join @line.txt --name Lab",
        "polity up --listen 4871 --bootstrap /ip4/192.0.2.1/tcp/1/p2p/x --exit-with-stdin",
        "polity invite",
        "polity invite --mine --lifetime 1h",
        "polity run p.wasm --each data/*.csv -o out/",
        "polity run p.wasm --each a.csv b.csv --verify 2of3 --wait agreed",
        "polity run p.wasm --input a b --arg --seed=7 --arg {} --verify single",
        "polity run p.wasm --wait final --timeout 10m --fuel 5G --memory 64M --wall 30s --json --dry-run",
        "polity run p.wasm --placement sealed",
        "polity verify out/receipt.polity --outputs out --genesis HASH",
        "polity verify evidence.polity --rerun --program p.wasm --inputs data",
        "polity verify out --rerun --program p.wasm --inputs a b --task 1.csv 2.csv",
        "polity vouch 7hTqK2Lm",
        "polity job explain",
        "polity job explain last 17.csv",
        "polity ledger disputes --json",
        "polity ledger sanctions",
        "polity ledger evidence",
        "polity ledger evidence abcd1234 -o evidence.polity",
        "polity job list",
        "polity job describe last --json",
        "polity job describe --tasks",
        "polity job logs last a.csv b.csv --follow",
        "polity job cancel last",
        "polity job pause last",
        "polity job resume abcd1234",
        "polity job explain last --nodes",
        "polity top --once",
        "polity run p.wasm --array 1000000 --priority low --deadline 12h",
        "polity run p.wasm --gpus 1 --label zone=north --class internal --near 20 --owner Elm",
        "polity doctor --json",
        "polity job logs abcd1234 17.csv --stderr",
        "polity job get last -o out",
        "polity node list",
        "polity node list --label zone=north --label gpu=yes --json",
        "polity cluster backup -o home.backup",
        "polity cluster status --current",
        "polity cluster recover --yes",
        "polity cluster restore home.backup --data /srv/polity",
        "polity node describe",
        "polity ledger head",
        "polity ledger block 7",
        "polity key show --listen 4870 --address 192.0.2.7",
        "polity completions fish",
        "polity man job explain",
        "polity man --dir man1",
    ];
    for line in lines {
        if let Err(error) = Cli::try_parse_from(line.split_whitespace()) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let house = House::default();
    let lines = [
        "",
        "nonsense",
        "run",
        "run p.wasm --each a --input b",
        "run p.wasm --verify 3of2",
        "run p.wasm --verify 2of999",
        "run p.wasm --wait never",
        "run p.wasm --placement slow",
        "verify x --task y",
        "vouch",
        "run p.wasm --timeout 5",
        "run p.wasm --memory much",
        "run p.wasm --wall soon",
        "up --genesis a --join b",
        "up --api 0.0.0.0:80",
        "found",
        "ledger block -1",
        "ledger tx nonsense",
        "completions",
        "completions tcsh",
        "man nonsense",
        "man run --dir man1",
        "demo --nodes 3",
        "demo --nodes 5 --liars 2 --program p.wasm --each x",
        "demo",
    ];
    for line in lines {
        let args: Vec<_> = line.split_whitespace().collect();
        assert_eq!(type_in(&house, &args), Exit::Usage, "{line}");
    }
    for line in ["--help", "--version", "run --help", "job get --help"] {
        let args: Vec<_> = line.split_whitespace().collect();
        assert_eq!(type_in(&house, &args), Exit::Success, "{line}");
    }
}

#[test]
fn programs_are_told_what_is_wrong_and_what_may_help() {
    let wrong = |line: &str| Cli::try_parse_from(line.split_whitespace()).unwrap_err();
    let failure = misuse(&wrong("polity run p.wasm --verify 3of2 --json"));
    assert!(failure.message.starts_with("invalid value '3of2'"), "{}", failure.message);
    assert_eq!(failure.exit, Exit::Usage);
    let failure = misuse(&wrong("polity run --each a b.wasm --json"));
    assert!(!failure.message.contains("Usage") && !failure.message.starts_with("error"));
    assert!(failure.next.unwrap().ends_with(PROGRAM_FIRST));
    let house = House::default();
    assert_eq!(type_in(&house, &["run", "p.wasm", "--verify", "3of2", "--json"]), Exit::Usage);
}

/// Every command with its words, as it is after what it inherits was added.
fn commands() -> Vec<(String, Command)> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let (mut open, mut all) = (vec![(root.get_name().to_string(), root)], Vec::new());
    while let Some((words, command)) = open.pop() {
        let sub = |sub: &Command| (format!("{words} {}", sub.get_name()), sub.clone());
        open.extend(command.get_subcommands().map(sub));
        all.push((words, command));
    }
    all
}

#[test]
fn every_command_is_described_in_one_line() {
    for (words, command) in commands() {
        let about = command.get_about().unwrap_or_else(|| panic!("{words} says nothing"));
        let about = about.to_string();
        assert!(!about.is_empty() && !about.contains('\n') && !about.ends_with('.'), "{words}");
    }
    // In the list of what there is, too.
    for (words, mut command) in commands() {
        let help = command.render_long_help().to_string();
        for sub in command.get_subcommands() {
            let whole = sub.get_about().unwrap().to_string();
            assert!(help.lines().any(|line| line.ends_with(&whole)), "{words}: '{whole}' wraps");
        }
    }
}

#[test]
fn every_help_fits_eighty_columns() {
    for (words, mut command) in commands() {
        // Else the examples would be broken at places that mean nothing.
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in after.lines() {
            assert!(line.chars().count() <= 80, "{words}: {line}");
        }
        for help in [command.render_help(), command.render_long_help()] {
            for line in help.to_string().lines() {
                assert!(line.chars().count() <= 80, "{words}: {line}");
            }
        }
    }
}

#[test]
fn the_help_of_every_command_at_the_top_has_examples_that_are_understood() {
    for (words, mut command) in commands() {
        let help = command.render_long_help().to_string();
        let examples = help.split_once("\nExamples:\n").map(|(_, examples)| examples);
        if words.split(' ').count() <= 2 {
            assert!(examples.is_some(), "{words}: --help shows no example");
        }
        let mut typed = String::new();
        for line in examples.unwrap_or_default().lines() {
            typed.push_str(line.trim());
            if typed.ends_with('\\') {
                typed.pop();
                continue;
            }
            check_example(&words, &std::mem::take(&mut typed));
        }
    }
}

/// What an example types must parse. A second column says what it does; a pipe or a redirection
/// ends it; quotes keep words together.
fn check_example(words: &str, line: &str) {
    let typed = line.split("  ").next().unwrap_or_default();
    for part in typed.split(" | ").filter_map(|part| part.find("polity ").map(|at| &part[at..])) {
        let end = part.find([';', '>', '<', '&']).unwrap_or(part.len());
        let plain = part[..end].replace("'Lab A'", "Lab").replace("'Lab B'", "Lab");
        // A CID is too long for a line of help.
        let cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
        let plain = plain.replace(['\'', '"'], "").replace("bafy…", cid);
        if let Err(error) = Cli::try_parse_from(plain.split_whitespace()) {
            panic!("{words}: {plain}: {error}");
        }
    }
}

#[test]
fn the_codes_of_run_are_in_its_help() {
    let mut command = Cli::command();
    let run = command.find_subcommand_mut("run").unwrap();
    let help = run.render_long_help().to_string();
    for code in 120..=127 {
        assert!(help.contains(&format!("  {code} ")), "{code}");
    }
}
