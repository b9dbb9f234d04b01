//! `polity invite`: prints the line that somebody joins with.

use super::Context;
use crate::{connect, exit::Exit, failure::Failure, text};
use api::NodeApi;
use protocol::InvitationKind;
use std::time::Duration;

const AFTER: &str = "\
The line is a secret: whoever has it can join, once, until it expires. You
answer for the owners that you invite: until a second owner vouches for them,
they count as one with you.

Examples:
  polity invite > line.txt
  polity invite --mine --lifetime 1h | ssh box polity up --join -";

/// `polity invite`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// For one more machine of yours
    #[arg(long)]
    mine: bool,
    /// How long the line is good
    #[arg(long, value_name = "T", default_value = "1d", value_parser = text::duration)]
    lifetime: Duration,
}

impl Args {
    /// For one more machine.
    pub(super) fn mine(lifetime: Duration) -> Self {
        Self { mine: true, lifetime }
    }
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let kind = if args.mine { InvitationKind::Machine } else { InvitationKind::Owner };
    let line = node.invite(kind, text::ms(args.lifetime)).await?;
    let expires = line.invitation.payload.expires;
    let whole = serde_json::json!({ "line": line, "kind": kind, "expires": expires });
    context.out.data(&whole, || line.to_string())?;
    let whom = if args.mine { "one more machine of yours" } else { "one new owner" };
    let until = text::moment(expires);
    context.out.say(format!(
        "This line lets {whom} join until {until}.\n\
         Keep it secret. On the other machine, with the line on stdin:\n  polity up --join -"
    ));
    Ok(Exit::Success)
}
