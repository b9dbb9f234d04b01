//! Content that is protected, on nodes of which some are lost.

use crate::{Society, listing, society::until, tree};

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
