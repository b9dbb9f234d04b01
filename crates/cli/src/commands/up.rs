//! `polity up`: starts a node.

use super::Context;
use crate::{
    background,
    data::{self, DataDir, Settings},
    exit::Exit,
    failure::Failure,
    launch::UpOptions,
    machine, text,
};
use api::JoinLine;
use protocol::InvitationKind;
use std::{
    io::{BufRead, Read},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};
use zeroize::Zeroizing;

const LINE_BYTES: u64 = 4 << 20;

const AFTER: &str = "\
The first start needs --genesis FILE (a founder) or --join LINE (everybody
else); later starts need neither, and know --listen, --announce, --bootstrap
and --name as they were first said (settings.json). A join line holds a
one-time secret, and other users of this machine can see what you type: hand
it over with --join - (stdin) or --join @FILE.

Examples:
  polity up --genesis genesis.polity
  polity up --join - --name 'Lab B' < line.txt
  polity up --listen 4871 --data /srv/polity";

/// `polity up`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The genesis of the polity, for a founder's first start
    #[arg(long, value_name = "FILE", conflicts_with = "join")]
    genesis: Option<PathBuf>,
    /// The line that 'polity invite' printed, - for stdin, or @FILE
    #[arg(long, value_name = "LINE|-|@FILE")]
    join: Option<String>,
    /// What you call yourself, for --join
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where to listen: a port, or a multiaddr. Usually port 4870
    #[arg(long, value_name = "PORT|ADDR")]
    listen: Vec<String>,
    /// A further address under which others reach this node
    #[arg(long, value_name = "ADDR")]
    announce: Vec<String>,
    /// A peer to stay connected to: a multiaddr that ends in /p2p/…
    #[arg(long, value_name = "ADDR")]
    bootstrap: Vec<String>,
    /// Where the local API listens. Usually as config.toml says, else on any free port
    #[arg(long, value_name = "IP:PORT")]
    api: Option<SocketAddr>,
    /// End when stdin closes, so that a node cannot outlive its parent
    #[arg(long)]
    exit_with_stdin: bool,
    /// Leave the terminal, say on stdout when the door is open, and log to a file
    #[arg(long, hide = true)]
    background: bool,
}

pub(super) fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let data = context.own_data()?;
    if let Some(api) = args.api.filter(|api| !api.ip().is_loopback()) {
        return Err(Failure::usage(format!("the API is for this machine only, not for {api}"))
            .next("use --api 127.0.0.1:PORT"));
    }
    let join = args.join.as_deref().map(read_join).transpose()?;
    check_network(&args, join.as_ref(), &data)?;
    check_age(join.as_ref())?;
    let kind = join.as_ref().map(|join| &join.invitation.payload.kind);
    if args.name.is_some() && kind.is_some_and(|kind| *kind != InvitationKind::Owner) {
        context.out.say("--name does not count: the owner of this machine has a name already");
    }
    data.create()?;
    let background = args.background.then(|| background::enter(&data)).transpose()?;
    let settings = remember(&args, &data, context)?;
    let or = |given: Vec<String>, kept: Vec<String>| if given.is_empty() { kept } else { given };
    let mut listen = Vec::new();
    for place in or(args.listen, settings.listen.clone()) {
        listen.extend(super::key::reach::listen(&place)?);
    }
    let options = UpOptions {
        owner_name: args.name.unwrap_or_else(|| settings.owner_name()),
        data,
        genesis: args.genesis,
        join,
        listen,
        announce: or(args.announce, settings.announce),
        bootstrap: or(args.bootstrap, settings.bootstrap),
        api: args.api,
        exit_with_stdin: args.exit_with_stdin,
        background,
    };
    // What another try would not mend is told from what it may: services look at the code.
    context.launch.check(&options).map_err(|error| Failure::usage(format!("{error:#}")))?;
    match context.launch.up(options) {
        Ok(()) => Ok(Exit::Success),
        Err(error) => Err(Failure::internal(format!("{error:#}"))),
    }
}

/// Keeps what was never said before: a later start needs none of it. What differs from what is kept
/// counts for this start only, and that is said.
fn remember(args: &Args, data: &DataDir, context: &Context<'_>) -> Result<Settings, Failure> {
    let before = data.settings()?;
    let mut listen = Vec::new();
    for place in &args.listen {
        listen.extend(super::key::reach::listen(place)?);
    }
    let mut settings = before.clone();
    let kept = [
        ("--listen", listen, &mut settings.listen),
        ("--announce", args.announce.clone(), &mut settings.announce),
        ("--bootstrap", args.bootstrap.clone(), &mut settings.bootstrap),
    ];
    for (option, given, kept) in kept {
        if kept.is_empty() {
            *kept = given;
        } else if !given.is_empty() && *kept != given {
            let kept = kept.join(" ");
            let path = data.root().join("settings.json");
            context.out.say(text::wrap(&format!(
                "{option} counts for this start only; later ones use {kept}, as {} says",
                path.display()
            )));
        }
    }
    settings.name = settings.name.or_else(|| args.name.clone());
    if settings != before {
        data.set_settings(&settings)?;
    }
    Ok(settings)
}

/// The node must have a network to be in, and no more than one.
fn check_network(args: &Args, join: Option<&JoinLine>, data: &DataDir) -> Result<(), Failure> {
    let kept = data.genesis()?;
    let given = match (&args.genesis, join) {
        (Some(path), _) => Some(data::named_genesis(path)?),
        (None, Some(join)) => Some(join.genesis.clone()),
        (None, None) => None,
    };
    match (kept, given) {
        (Some(kept), Some(given)) if kept.network() != given.network() => {
            Err(data::Error::OtherNetwork {
                path: data.root().join("genesis.polity"),
                kept: kept.network(),
                given: given.network(),
            }
            .into())
        }
        (Some(_), _) | (None, Some(_)) => Ok(()),
        (None, None) => {
            let dir = data.root().display();
            Err(Failure::usage(format!("{dir} belongs to no network yet")).next(
                "a founder types: polity up --genesis FILE; others ask for an invitation and \
                 type: polity up --join -",
            ))
        }
    }
}

/// Reads the line from the argument, from stdin, or from a file.
fn read_join(text: &str) -> Result<JoinLine, Failure> {
    let line = match (text, text.strip_prefix('@')) {
        ("-", _) => {
            let mut line = Zeroizing::new(String::new());
            let stdin = std::io::stdin().lock();
            stdin
                .take(LINE_BYTES)
                .read_line(&mut line)
                .map_err(|error| Failure::file("stdin".as_ref(), &error))?;
            line
        }
        (_, Some(path)) => {
            let bytes = data::read_bounded(path.as_ref(), LINE_BYTES)
                .map_err(|error| Failure::file(path.as_ref(), &error))?;
            Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => Zeroizing::new(text.to_string()),
    };
    line.parse().map_err(|error: api::LineError| {
        Failure::usage(error.to_string()).next("a member prints one with: polity invite")
    })
}

/// An invitation that is over by our clock is most likely over by the ledger's.
fn check_age(join: Option<&JoinLine>) -> Result<(), Failure> {
    let Some(join) = join else { return Ok(()) };
    let invitation = &join.invitation.payload;
    let over_ms = machine::now().since_ms(invitation.expires);
    if over_ms == 0 {
        return Ok(());
    }
    let again = match invitation.kind {
        InvitationKind::Owner => "polity invite",
        InvitationKind::Machine => "polity invite --mine",
    };
    Err(Failure::usage(format!(
        "the invitation was good until {}, {} ago",
        invitation.expires,
        text::lasting(Duration::from_millis(over_ms)),
    ))
    .next(format!("ask for a new one: {again}; is the clock of this machine right?")))
}
