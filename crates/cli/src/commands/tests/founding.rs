//! Keys, founding, starting, joining.

use super::world::{House, World, type_in};
use crate::{
    data::{self, DataDir},
    exit::Exit,
    machine,
};
use api::FoundingLine;
use identity::{NetworkId, SecretKey, Signed};
use protocol::{Founder, InvitationKind};
use std::{fs, path::Path};

/// The founding line of an owner with this directory, as `key show` prints it.
fn founding_line(dir: &Path, name: &str) -> String {
    let data = DataDir::at(dir);
    let root = dir.to_str().unwrap();
    let args = ["--data", root, "key", "show", "--name", name, "--address", "192.0.2.1"];
    assert_eq!(type_in(&House::default(), &args), Exit::Success);
    let addresses = data.settings().unwrap().announce;
    assert_eq!(addresses[0], "/ip4/192.0.2.1/udp/4870/quic-v1");
    let node = data.node_key().unwrap().unwrap().public();
    let founder = Founder { node, name: name.into(), addresses };
    let owner = data.owner_key().unwrap().unwrap();
    FoundingLine(Signed::new(founder, NetworkId::FOUNDING, &owner)).to_string()
}

#[test]
fn four_owners_found_and_the_first_of_them_starts() {
    let dir = tempfile::tempdir().unwrap();
    let homes: Vec<_> = (0..4).map(|n| dir.path().join(format!("owner-{n}"))).collect();
    let lines: Vec<_> = homes.iter().map(|home| founding_line(home, "lab")).collect();
    let list = dir.path().join("lines.txt");
    // What 'polity key show > FILE' wrote is as good as the line alone.
    fs::write(&list, format!("name  lab\n\n{}", lines[1..].join("\n\n"))).unwrap();
    let file = dir.path().join("genesis.polity");
    let (list, out) = (list.to_str().unwrap(), file.to_str().unwrap());
    let args = ["found", &lines[0], list, "--validators", "4", "--name", "co-op", "-o", out];
    let house = House::default();
    assert_eq!(type_in(&house, &args), Exit::Success);
    let genesis = data::read_genesis(&file).unwrap();
    assert_eq!((genesis.founders.len(), genesis.validators.len()), (4, 4));
    assert_eq!(genesis.name, "co-op");
    assert_eq!(type_in(&house, &args), Exit::Usage, "it is never overwritten");

    let home = homes[0].to_str().unwrap();
    let up = ["up", "--data", home, "--genesis", out, "--listen", "4999"];
    assert_eq!(type_in(&house, &up), Exit::Success);
    let started = house.started.lock().unwrap().pop().unwrap();
    assert_eq!(started.data.root(), homes[0]);
    assert_eq!(started.genesis.as_deref(), Some(file.as_path()));
    assert_eq!(started.listen, ["/ip4/0.0.0.0/udp/4999/quic-v1", "/ip4/0.0.0.0/tcp/4999"]);
    assert_eq!(started.announce[1], "/ip4/192.0.2.1/tcp/4870");
    assert_eq!(started.owner_name, "lab");
}

#[test]
fn founding_takes_lines_of_different_owners_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let line = founding_line(&dir.path().join("owner"), "lab");
    let out = dir.path().join("genesis.polity");
    let key = SecretKey::from_seed([1; 32]).public().to_string();
    let house = House::default();
    let found = |args: &[&str]| {
        let mut all = vec!["found", "-o", out.to_str().unwrap()];
        all.extend(args);
        type_in(&house, &all)
    };
    assert_eq!(found(&[&key]), Exit::Usage);
    assert_eq!(found(&["nonsense"]), Exit::Usage);
    assert_eq!(found(&[&line, &line]), Exit::Usage, "one owner twice");
    assert_eq!(found(&[&line, "--validators", "2"]), Exit::Usage, "too few founders");
    assert_eq!(found(&[&line, "--validators", "0"]), Exit::Usage);
    assert!(!out.exists());
    assert_eq!(found(&[&line]), Exit::Success, "one owner is a polity, though a fragile one");
}

#[test]
fn a_bare_key_is_answered_with_what_to_ask_for() {
    let key = SecretKey::from_seed([1; 32]).public().to_string();
    let failure = super::super::found::founders(&[key]).unwrap_err();
    assert!(failure.next.unwrap().contains("polity key show"));
}

#[test]
fn a_node_without_a_network_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::default();
    let root = dir.path().join("data");
    let root = root.to_str().unwrap();
    assert_eq!(type_in(&house, &["up", "--data", root]), Exit::Usage);
    assert_eq!(type_in(&house, &["up", "--data", root, "--genesis", "/none"]), Exit::Usage);
    assert_eq!(type_in(&house, &["up", "--data", root, "--join", "nonsense"]), Exit::Usage);
    assert_eq!(type_in(&house, &["up", "--data", root, "--listen", "here"]), Exit::Usage);
    assert!(house.started.lock().unwrap().is_empty());
    assert!(!Path::new(root).exists(), "nothing was made");
}

/// Prints a join line into a file, as `polity invite > line.txt`.
fn invite(world: &World, kind: InvitationKind, lifetime_ms: u64) -> String {
    let key = SecretKey::from_seed([77; 32]);
    let expires = machine::now().after_ms(lifetime_ms);
    let invitation = protocol::Invitation { kind, key: key.public(), expires };
    let sponsor = world.data.owner_key().unwrap().unwrap();
    let genesis = world.polity.genesis.clone();
    let invitation = Signed::new(invitation, genesis.network(), &sponsor);
    let line = api::JoinLine { genesis, invitation, key, peers: Vec::new() };
    world.write("line.txt", format!("{line}\n").as_bytes());
    format!("@{}", world.text("line.txt"))
}

#[test]
fn a_newcomer_joins_with_the_line_in_a_file() {
    let world = World::new();
    assert_eq!(world.type_in("invite"), Exit::Success);
    assert_eq!(world.type_in("invite --mine --lifetime 1h --json"), Exit::Success);
    let line = invite(&world, InvitationKind::Owner, 60_000);
    let (house, root) = (House::default(), world.text("newcomer"));
    let up = ["up", "--data", &root, "--join", &line, "--name", "Lab B"];
    assert_eq!(type_in(&house, &up), Exit::Success);
    let started = house.started.lock().unwrap().pop().unwrap();
    assert_eq!(started.owner_name, "Lab B");
    let join = started.join.unwrap();
    assert_eq!(join.genesis, world.polity.genesis);
}

#[test]
fn how_a_node_is_reached_is_remembered_from_its_first_start() {
    let world = World::new();
    let line = invite(&world, InvitationKind::Owner, 60_000);
    let (house, root) = (House::default(), world.text("newcomer"));
    let peer = "/ip4/192.0.2.1/tcp/1/p2p/x";
    let up = |more: &[&str]| {
        let up = ["up", "--data", &root, "--join", &line];
        assert_eq!(type_in(&house, &[&up[..], more].concat()), Exit::Success);
        house.started.lock().unwrap().pop().unwrap()
    };
    let first = up(&[
        "--name",
        "Lab B",
        "--listen",
        "4999",
        "--announce",
        "/dns/b/tcp/1",
        "--bootstrap",
        peer,
    ]);
    assert_eq!(first.listen, ["/ip4/0.0.0.0/udp/4999/quic-v1", "/ip4/0.0.0.0/tcp/4999"]);
    let again = up(&[]);
    assert_eq!((again.listen, again.owner_name), (first.listen.clone(), "Lab B".to_string()));
    assert_eq!((again.announce, again.bootstrap), (first.announce, first.bootstrap));
    // What differs counts once.
    assert_eq!(up(&["--listen", "/ip4/127.0.0.1/tcp/7"]).listen, ["/ip4/127.0.0.1/tcp/7"]);
    assert_eq!(up(&[]).listen, first.listen);
}

#[test]
fn settings_that_make_no_sense_are_a_usage_error_and_nothing_starts() {
    let world = World::new();
    world.write("data/config.toml", b"no_setting = 1\n");
    let (house, root) = (House::default(), world.text("data"));
    // Services do not try that again (RestartPreventExitStatus).
    assert_eq!(type_in(&house, &["up", "--data", &root]), Exit::Usage);
    assert!(house.started.lock().unwrap().is_empty());
    fs::remove_file(world.path("data/config.toml")).unwrap();
    assert_eq!(type_in(&house, &["up", "--data", &root]), Exit::Success);
    assert_eq!(house.started.lock().unwrap().len(), 1);
}

#[test]
fn an_invitation_that_is_over_or_of_another_network_is_refused_at_once() {
    let world = World::new();
    let over = invite(&world, InvitationKind::Machine, 0);
    let (house, root) = (House::default(), world.text("newcomer"));
    while machine::now() <= over_at(&over) {
        std::hint::spin_loop();
    }
    assert_eq!(type_in(&house, &["up", "--data", &root, "--join", &over]), Exit::Usage);

    let other = DataDir::at(world.path("other"));
    let line = founding_line(other.root(), "lab");
    let (file, home) = (world.text("other.polity"), world.text("other"));
    assert_eq!(type_in(&house, &["found", &line, "-o", &file]), Exit::Success);
    other.keep_genesis(&data::read_genesis(Path::new(&file)).unwrap()).unwrap();
    let line = invite(&world, InvitationKind::Owner, 60_000);
    assert_eq!(type_in(&house, &["up", "--data", &home, "--join", &line]), Exit::Usage);
    assert!(house.started.lock().unwrap().is_empty());
}

fn over_at(arg: &str) -> protocol::Time {
    let text = fs::read_to_string(arg.trim_start_matches('@')).unwrap();
    text.parse::<api::JoinLine>().unwrap().invitation.payload.expires
}
