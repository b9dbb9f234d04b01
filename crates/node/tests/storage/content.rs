//! Content between nodes, and on one that is killed.

use crate::{
    Society, listing,
    society::{self, Node},
    tree,
};
use std::fs;

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
