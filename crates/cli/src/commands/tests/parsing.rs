//! The command line itself: what is understood, what is helped with.

use super::{
    super::Cli,
    world::{House, type_in},
};
use crate::exit::Exit;
use clap::{CommandFactory, Parser};

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
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
        "polity job logs abcd1234 17.csv --stderr",
        "polity job get last -o out",
        "polity node list",
        "polity node describe",
        "polity ledger head",
        "polity ledger block 7",
        "polity key show --listen 4870 --address 192.0.2.7",
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
fn every_help_fits_eighty_columns_and_says_something() {
    let mut commands = vec![Cli::command()];
    while let Some(mut command) = commands.pop() {
        let name = command.get_name().to_string();
        assert!(command.get_about().is_some(), "{name} says nothing");
        for line in command.render_long_help().to_string().lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
        commands.extend(command.get_subcommands().cloned());
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
