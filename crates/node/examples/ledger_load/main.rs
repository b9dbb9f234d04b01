//! Loads the ledger of a polity with signed transactions that were made before the clock starts, and
//! follows them until they are final. `cargo xtask bench ledger` starts the validators between
//! `found` and `load`.

mod load;
mod polity;
mod progress;
mod txs;

use anyhow::{Context, bail};
use load::Load;
use polity::Polity;
use std::{path::PathBuf, str::FromStr, time::Duration};
use txs::Kind;

const HELP: &str = "\
ledger_load found DIR OWNERS VALIDATORS
    Founds a polity: directories owner-1, … of the validators, and genesis.polity.
ledger_load load DIR OWNERS VALIDATORS KIND COUNT RATE LIMIT_S
    Sends COUNT transactions of OWNERS keys to all validators and prints what came of them, as JSON.
    KIND is order (one signature) or agree (three); RATE is how many in a second, 0 for as many as
    they take; after LIMIT_S it gives up. It prints 'started' when the clock starts.";

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["found", dir, owners, validators] => {
            Polity::new(dir.into(), number(owners)?, number(validators)?).found()
        }
        ["load", dir, owners, validators, kind, count, rate, limit_s] => {
            let polity = Polity::new(PathBuf::from(dir), number(owners)?, number(validators)?);
            let kind: Kind = kind.parse()?;
            let load = Load {
                count: number(count)?,
                rate: number(rate)?,
                limit: Duration::from_secs(number(limit_s)?),
            };
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let report = runtime.block_on(load.run(&polity, kind))?;
            println!("{report}");
            Ok(())
        }
        _ => bail!("{HELP}"),
    }
}

fn number<T: FromStr>(text: &str) -> anyhow::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().with_context(|| format!("{text} is no number"))
}
