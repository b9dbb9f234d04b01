//! `polity node …`: nodes of the polity.

mod care;
mod describe;
pub(super) mod list;

use super::Context;
use crate::{exit::Exit, failure::Failure};

const AFTER: &str = "\
Examples:
  polity node list                       who is there, and who is not drawn
  polity node describe                   your own node
  polity node describe 7hTqK2Lm          another one, by the end of its key
  polity node drain                      before this machine is stopped";

/// `polity node`
#[derive(Debug, clap::Subcommand)]
#[command(after_help = AFTER)]
pub(super) enum Command {
    /// List every admitted node
    List(list::Args),
    /// Say everything about your node, or what it knows of another one
    Describe(describe::Args),
    /// Give a node nothing new
    Cordon(care::CordonArgs),
    /// Give a node work again
    Uncordon(care::UncordonArgs),
    /// Empty a node before it is stopped
    Drain(care::DrainArgs),
    /// Say when you look after a node
    Window(care::WindowArgs),
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => list::run(args, context).await,
        Command::Describe(args) => describe::run(args, context).await,
        Command::Cordon(args) => care::cordon(args, context).await,
        Command::Uncordon(args) => care::uncordon(args, context).await,
        Command::Drain(args) => care::drain(args, context).await,
        Command::Window(args) => care::window(args, context).await,
    }
}
