//! `polity key show`: your keys, and the line that founding takes. Keys are made when they are
//! first asked for.

use super::{super::Context, reach};
use crate::{exit::Exit, failure::Failure, machine, out};
use api::FoundingLine;
use identity::{NetworkId, Signed};
use protocol::Founder;

const AFTER: &str = "\
What is said with --listen, --address and --name is kept in the data directory,
so that 'polity up' does the same.

Examples:
  polity key show
  polity key show --name 'Lab A' --listen 4870
  polity key show --listen 4870 --address 198.51.100.7";

/// `polity key show`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// What you call yourself; no proof of anything
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where your node listens: a port, or a multiaddr. Usually port 4870
    #[arg(long, value_name = "PORT|ADDR")]
    listen: Vec<String>,
    /// Where others reach it: an IP address, or a multiaddr. Usually found out
    #[arg(long, value_name = "IP|ADDR")]
    address: Vec<String>,
}

pub(super) fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let data = context.own_data()?;
    let before = data.settings()?;
    let mut settings = before.clone();
    if args.name.is_some() {
        settings.name = args.name;
    }
    if !args.listen.is_empty() {
        settings.listen.clear();
        for text in &args.listen {
            settings.listen.extend(reach::listen(text)?);
        }
    }
    let given = if args.address.is_empty() { &settings.announce } else { &args.address };
    let addresses = reach::addresses(&settings.listen, given, reach::here())?;
    if !args.address.is_empty() {
        settings.announce.clone_from(&addresses);
    }
    let owner = data.owner_key_or_new(machine::entropy()?)?;
    let node = data.node_key_or_new(machine::entropy()?)?;
    if settings != before {
        data.set_settings(&settings)?;
    }
    let name = settings.owner_name();
    let founder = Founder { node: node.public(), name: name.clone(), addresses };
    let addresses = founder.addresses.clone();
    let line = FoundingLine(Signed::new(founder, NetworkId::FOUNDING, &owner)).to_string();
    let (owner, node) = (owner.public(), node.public());
    let whole = serde_json::json!({
        "owner": owner, "node": node, "name": name, "addresses": addresses, "founding_line": line,
    });
    context.out.data(&whole, || {
        let mut text = out::fields(&[
            ("owner", owner.to_string()),
            ("node", node.to_string()),
            ("name", name.clone()),
            ("reached at", addresses.join("\n")),
        ]);
        text.push_str(&format!("\n{line}\n"));
        text
    })?;
    context.out.say(
        "The last line is your founding line. It holds no secret: give it to whoever\n\
         writes the genesis with 'polity found'.",
    );
    Ok(Exit::Success)
}
