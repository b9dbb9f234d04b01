//! Blocks to and from a real node of IPFS (Helia), over TCP and over QUIC.
//!
//! `cargo xtask helia` sets Helia up; `cargo xtask test` does so before the tests.

#![allow(clippy::unwrap_used)]

mod content;
mod ours;
mod peer;
#[path = "../society/mod.rs"]
mod society;

use content::{SIZES, digest_of, file_of};
use objects::{Block, Cid, Codec};
use ours::Ours;
use peer::{AsCid, Peer};
use protocol::port::Offence;
use serde_json::json;
use society::{Node, brisk, found, until};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};
use storage::exchange::{FetchError, Refusal};

/// Longer than a stream may be silent with any of the two.
const GAP: Duration = Duration::from_secs(15);
/// What we put, and what the other one puts.
const ENTRIES: u32 = 3_000;

#[test]
fn content_goes_both_ways_over_tcp() {
    both_ways("tcp", "/ip4/127.0.0.1/tcp/");
}

#[test]
fn content_goes_both_ways_over_quic() {
    both_ways("quic", "/ip4/127.0.0.1/udp/");
}

/// Everything that Helia has, by its root: paths and digests.
type Known = BTreeMap<String, serde_json::Value>;

fn both_ways(transport: &str, listen: &str) {
    let dir = tempfile::tempdir().unwrap();
    let home = found(dir.path(), 1, 1, brisk()).remove(0);
    let mut helia = Peer::start(transport);
    let known = we_read(&mut helia, &home);
    // Another one, which has nothing, reads all of it from a real node.
    drop(helia);
    let port = society::free_port();
    let place = match transport {
        "tcp" => format!("{listen}{port}"),
        _ => format!("{listen}{port}/quic-v1"),
    };
    helia_reads(transport, dir.path(), &home, &place, &known);
}

/// This side fetches from Helia into the store in `home`.
fn we_read(helia: &mut Peer, home: &Path) -> Known {
    let mut known = Known::new();
    let ours = Ours::start(&home.join("store"));
    let address = helia.address();
    for size in SIZES {
        let root = helia.ask(json!({"command": "add", "size": size, "seed": 1})).as_cid();
        // The same profile gives the same CID.
        assert_eq!(root, file_of(size, 1).0.cid, "{size}");
        ours.fetch_dag(root, &address).unwrap_or_else(|error| panic!("{size}: {error}"));
        assert_eq!(ours.digest(root), digest_of(size, 1), "{size}");
        known.insert(root.to_string(), json!({"": digest_of(size, 1)}));
    }
    for command in [json!({"command": "tree"}), json!({"command": "hamt", "count": ENTRIES})] {
        let root = helia.ask(command).as_cid();
        ours.fetch_dag(root, &address).unwrap();
        known.insert(
            root.to_string(),
            helia.ask(json!({"command": "read", "cid": root.to_string()})),
        );
    }
    let hamt = known.values().map(|found| found.as_object().unwrap().len()).max();
    assert_eq!(hamt, Some(ENTRIES as usize));

    std::thread::sleep(GAP);
    let later = helia.ask(json!({"command": "add", "size": 100_000, "seed": 7})).as_cid();
    ours.fetch_dag(later, &address).expect("after a while in which nothing was said");

    let missing = Cid::of(Codec::Raw, b"nobody has this");
    let failed = ours.fetch_dag(missing, &address).expect_err("nobody has it");
    let FetchError::NotFound { tried, .. } = &failed else { panic!("{failed}") };
    // It was said, not waited for: who says nothing is not `Missing`.
    assert!(matches!(tried[..], [(_, Refusal::Missing)]), "{failed}");

    let wanted = Block::of(Codec::Raw, &b"what was meant"[..]).cid;
    helia.ask(json!({"command": "lie", "cid": wanted.to_string()}));
    let failed = ours.fetch_dag(wanted, &address).expect_err("it was another block");
    let FetchError::NotFound { tried, .. } = &failed else { panic!("{failed}") };
    assert!(matches!(tried[..], [(_, Refusal::BadContent)]), "{failed}");
    assert_eq!(ours.offences(), [Offence::BadContent]);
    ours.stop();
    known
}

/// Helia fetches from a node that has the store in `home`, and the node from Helia.
fn helia_reads(transport: &str, dir: &Path, home: &Path, place: &str, known: &Known) {
    let mut helia = Peer::start(transport);
    let data = cli::data::DataDir::at(home);
    let mut settings = data.settings().unwrap();
    settings.listen = vec![place.to_string()];
    data.set_settings(&settings).unwrap();
    let config = format!("[ipfs]\nenabled = true\npeers = [{:?}]\n", helia.address());
    fs::write(home.join("config.toml"), config).unwrap();
    let genesis = dir.join("genesis.polity");
    let mut node = Node::up(home, &["--genesis", &genesis.to_string_lossy()], None);
    node.ready(1);
    let status = until("the node to say where it is", || node.status());
    let addresses = status["addresses"].as_array().unwrap();
    let address = addresses.iter().filter_map(|a| a.as_str()).find(|a| a.starts_with(place));
    let address = address.unwrap_or_else(|| panic!("{status}")).to_string();

    helia.ask(json!({"command": "dial", "address": address}));
    for (root, content) in known {
        let read = helia.ask(json!({"command": "read", "cid": root}));
        assert_eq!(&read, content, "{root}\n{}", node.log());
    }
    let missing = Cid::of(Codec::Raw, b"nobody has this");
    let asked = json!({"command": "ask", "cid": missing.to_string(), "address": address});
    assert_eq!(helia.ask(asked), json!({"missing": true}), "{}", node.log());

    std::thread::sleep(GAP);
    let (root, _) = file_of(SIZES[1], 1);
    let ask = json!({"command": "ask", "cid": root.cid.to_string(), "address": address});
    assert_eq!(helia.ask(ask), json!({"size": SIZES[1]}), "after a while: {}", node.log());

    // What only Helia has, through the node's front door.
    let size = (1 << 20) + 1;
    let root = helia.ask(json!({"command": "add", "size": size, "seed": 9})).as_cid();
    let door = society::door::Door::of(home);
    let content = ours::read_file(root, |cid| door.blob(cid));
    assert_eq!(content::hex(&content), digest_of(size, 9));
    names_a_peer(transport, dir, &node);
    node.stop();
}

/// Gets and pins what only a peer has that the node has never heard of.
fn names_a_peer(transport: &str, dir: &Path, node: &Node) {
    let mut stranger = Peer::start(transport);
    let address = stranger.address();
    let size = (20 << 20) + 1;
    let root = stranger.ask(json!({"command": "add", "size": size, "seed": 11})).as_cid();
    let out = dir.join("out");
    let (named, path) = (root.to_string(), out.to_string_lossy());
    node.polity(&["get", &named, "--from", &address, "-o", &path]).ok();
    assert_eq!(content::hex(&fs::read(&out).unwrap()), digest_of(size, 11), "{}", node.log());
    let tree = stranger.ask(json!({"command": "tree"})).to_string();
    let tree = tree.trim_matches('"');
    node.polity(&["pin", &format!("{tree}/deep"), "--from", &address]).ok();

    let place = address.split("/p2p/").next().unwrap();
    for (from, why) in [(place, "/p2p/"), ("Berlin", "Berlin")] {
        let failed = node.polity(&["get", tree, "--from", from]);
        assert!(failed.code != Some(0) && failed.err.contains(why), "{from}: {}", failed.err);
    }
}
