//! Content on real nodes: between them, after the loss of some, and over HTTP.

#![allow(clippy::unwrap_used)]

mod society;

use protocol::Params;
use society::{Node, Said, found, free_port, until};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
};

/// Nodes of different owners that see each other.
struct Society {
    nodes: Vec<Option<Node>>,
    homes: Vec<PathBuf>,
    dir: tempfile::TempDir,
}

impl Society {
    /// With these settings beside what each node has anyway.
    fn up(count: u8, settings: impl Fn(usize) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let homes = found(dir.path(), count, 1, Params::default());
        let genesis = dir.path().join("genesis.polity");
        let mut society = Self { nodes: Vec::new(), homes, dir };
        for (at, home) in society.homes.iter().enumerate() {
            fs::write(home.join("config.toml"), settings(at)).unwrap();
        }
        for home in &society.homes {
            let args = ["--genesis", genesis.to_str().unwrap()];
            society.nodes.push(Some(Node::up(home, &args, None)));
        }
        for node in society.nodes.iter_mut().flatten() {
            node.ready(u64::from(count));
        }
        society
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn node(&mut self, at: usize) -> &mut Node {
        self.nodes[at].as_mut().expect("it runs")
    }

    fn kill(&mut self, at: usize) {
        self.nodes[at].take().expect("it runs").kill();
    }

    fn say(&mut self, at: usize, args: &[&str]) -> Said {
        self.node(at).polity(args)
    }
}

/// Bytes that look like nothing.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..bytes.div_ceil(8)).flat_map(|_| next()).take(bytes).collect()
}

fn tree(dir: &Path) {
    fs::create_dir_all(dir.join("sub/empty")).unwrap();
    fs::write(dir.join("large"), noise(1, (5 << 20) + 77)).unwrap();
    for n in 0..50 {
        fs::write(dir.join(format!("sub/{n}.txt")), format!("{n}\n")).unwrap();
    }
    std::os::unix::fs::symlink("large", dir.join("link")).unwrap();
}

/// What a tree holds, as text.
fn listing(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
            if path.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                found.push((name, target.to_string_lossy().into_owned().into_bytes()));
            } else if path.is_dir() {
                found.push((name, Vec::new()));
                open.push(path);
            } else {
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_one_node_keeps_others_get_and_keep_without_it() {
    let mut society = Society::up(2, |_| String::new());
    let (there, here) = (society.path("in"), society.path("out"));
    tree(&there);
    let put = society.say(0, &["put", there.to_str().unwrap(), "--json"]).ok().json();
    let root = put["root"].as_str().unwrap().to_string();
    assert_eq!(put["new_blocks"], put["blocks"]);
    let again = society.say(0, &["put", there.to_str().unwrap(), "--json"]).ok().json();
    assert_eq!((again["root"].as_str(), again["new_blocks"].as_u64()), (Some(&*root), Some(0)));
    society.say(1, &["get", &root, "-o", here.to_str().unwrap()]).ok();
    assert_eq!(listing(&here), listing(&there));
    society.say(1, &["pin", &root]).ok();
    society.kill(0);
    society.say(1, &["storage", "gc", "--grace", "0"]).ok();
    let third = society.path("third");
    society.say(1, &["get", &format!("{root}/sub"), "-o", third.to_str().unwrap()]).ok();
    assert_eq!(listing(&third), listing(&there.join("sub")));
    society.say(1, &["unpin", &root]).ok();
    society.say(1, &["storage", "gc", "--grace", "0"]).ok();
    let said = society.say(1, &["get", &root, "-o", society.path("none").to_str().unwrap()]);
    assert_eq!(said.code, Some(123), "{}", said.err);
}

#[test]
fn a_node_that_is_killed_keeps_what_it_acknowledged_and_a_put_goes_on() {
    let mut society = Society::up(1, |_| String::new());
    let there = society.path("in");
    tree(&there);
    let root = society.say(0, &["put", there.to_str().unwrap()]).ok().out.trim().to_string();
    let home = society.homes[0].clone();
    society.kill(0);
    // The index only repeats what the packs say.
    fs::remove_file(home.join("store/index.redb")).unwrap();
    let genesis = society.path("genesis.polity");
    society.nodes[0] = Some(Node::up(&home, &["--genesis", genesis.to_str().unwrap()], None));
    society.node(0).ready(1);
    let pins = society.say(0, &["storage", "pins", "--json"]).ok().json();
    assert_eq!(pins[0]["root"], root);
    society.say(0, &["storage", "verify"]).ok();
    let again = society.say(0, &["put", there.to_str().unwrap(), "--json"]).ok().json();
    assert_eq!(again["new_blocks"], 0);
    let out = society.path("out");
    society.say(0, &["get", &root, "-o", out.to_str().unwrap()]).ok();
    assert_eq!(listing(&out), listing(&there));
}

#[test]
fn jobs_keep_what_they_need_whatever_is_collected() {
    let mut society = Society::up(1, |_| String::new());
    let work = society.dir.path().to_path_buf();
    let program = society::program(&work);
    society::inputs(&work, 3);
    let (program, inputs) = (program.to_str().unwrap(), work.join("in/*.txt"));
    let run = |out: &str| {
        let out = work.join(out).to_str().unwrap().to_string();
        let each = inputs.to_str().unwrap().to_string();
        ["run", program, "--each", &each, "--arg", "{}", "-o", &out, "--verify", "1of1"]
            .map(str::to_string)
            .to_vec()
    };
    let type_in = |society: &mut Society, args: Vec<String>| {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        society.say(0, &args)
    };
    type_in(&mut society, run("first")).ok();
    let collected = society.say(0, &["storage", "gc", "--grace", "0", "--json"]).ok().json();
    assert_eq!(collected["missing"], 0);
    // All of it is still there: results, receipt, and what is known.
    society.say(0, &["job", "get", "last", "-o", work.join("got").to_str().unwrap()]).ok();
    assert_eq!(fs::read(work.join("got/1.txt")).unwrap(), fs::read(work.join("in/1.txt")).unwrap());
    type_in(&mut society, run("second")).ok();
    assert_eq!(society.say(0, &["job", "list", "--json"]).ok().json().as_array().unwrap().len(), 1);
}

#[test]
fn protected_content_is_read_without_two_of_six_nodes_and_is_whole_again_after() {
    let quick = "[durability]\ngrace_ms = 1000\nretry_ms = 500\n";
    let mut society = Society::up(6, |_| quick.to_string());
    let there = society.path("in");
    tree(&there);
    let path = there.to_str().unwrap();
    let put = society.say(0, &["put", path, "--durability", "4+2"]).ok();
    assert!(put.err.contains("any 2 nodes or 2 owners may be lost"), "{}", put.err);
    let root = put.out.trim().to_string();
    // The node that put it needs it no more than the others.
    society.say(0, &["unpin", &root]).ok();
    society.say(0, &["storage", "gc", "--grace", "0"]).ok();
    let whereabouts = |society: &mut Society, at: usize| {
        let said = society.say(at, &["storage", "where", &root, "--json"]);
        (said.code == Some(0)).then(|| said.json()[0].clone())
    };
    let before = whereabouts(&mut society, 5).expect("it is known");
    assert_eq!(before["holders"].as_array().unwrap().len(), 6);
    assert_eq!(before["tolerance"]["nodes"], 2);
    society.kill(1);
    society.kill(2);
    let out = society.path("out");
    society.say(4, &["get", &root, "-o", out.to_str().unwrap()]).ok();
    assert_eq!(listing(&out), listing(&there));
    // The holders that left are replaced by others.
    let healed = until("the shards to have new holders", || {
        let now = whereabouts(&mut society, 3)?;
        let all = now["holders"].as_array()?;
        let there = |holder: &serde_json::Value| {
            holder["unreachable"].is_null() && holder["present"] == holder["shards"]
        };
        (all.iter().all(there) && now["sequence"].as_u64()? > 0).then_some(now)
    });
    assert!(healed["tolerance"]["nodes"].as_u64().unwrap() >= 1, "{healed}");
}

/// Asks over HTTP and gives status, headers and body.
fn ask(port: u16, path: &str, accept: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = &answer[end + 4..];
    let body = if head.contains("transfer-encoding: chunked") { joined(body) } else { body.into() };
    (status, head, body)
}

/// The content of chunks.
fn joined(mut body: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return content;
        }
        content.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
}

#[test]
fn tools_of_ipfs_read_content_over_http() {
    let port = free_port();
    let gateway = format!("[ipfs.gateway]\naddr = \"127.0.0.1:{port}\"\n");
    let mut society = Society::up(1, |_| gateway.clone());
    let there = society.path("in");
    tree(&there);
    let root = society.say(0, &["put", there.to_str().unwrap()]).ok().out.trim().to_string();
    let (status, _, body) = ask(port, &format!("/ipfs/{root}/sub/7.txt"), "*/*");
    assert_eq!((status, body.as_slice()), (200, &b"7\n"[..]));
    let (status, _, body) = ask(port, &format!("/ipfs/{root}/large"), "*/*");
    assert_eq!((status, body), (200, fs::read(there.join("large")).unwrap()));
    let cid: objects::Cid = root.parse().unwrap();
    let (status, head, block) = ask(port, &format!("/ipfs/{root}"), "application/vnd.ipld.raw");
    assert_eq!(status, 200, "{head}");
    cid.check(&block).unwrap();
    let (status, _, car) = ask(port, &format!("/ipfs/{root}?format=car"), "*/*");
    assert_eq!(status, 200);
    let file = society.path("all.car");
    fs::write(&file, &car).unwrap();
    // Every block is checked by whoever reads it.
    let mut other = Society::up(1, |_| String::new());
    let said = other.say(0, &["import", file.to_str().unwrap(), "--json"]).ok().json();
    assert_eq!(said["roots"][0], root);
    let out = other.path("out");
    other.say(0, &["get", &root, "-o", out.to_str().unwrap()]).ok();
    assert_eq!(listing(&out), listing(&there));
    let gone = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
    assert_eq!(ask(port, &format!("/ipfs/{gone}"), "*/*").0, 404);
    assert_eq!(ask(port, "/ipfs/nonsense", "*/*").0, 400);
}
