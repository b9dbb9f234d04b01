//! Files in the store and back.

use super::world::{House, World, listing, type_in};
use crate::exit::Exit;
use objects::{Block, Cid, Codec, DirectoryBuilder, Entry, car, file, symlink};
use std::{fs, os::unix::fs::symlink as link, path::Path};

/// A world with some files in `in`.
fn filled() -> World {
    let world = World::new();
    world.write("in/small", b"small");
    world.write("in/empty", b"");
    world.write("in/sub/large", &vec![7; (3 << 20) + 5]);
    fs::create_dir(world.path("in/nothing")).unwrap();
    link("small", world.path("in/link")).unwrap();
    world
}

/// The name of a directory of this machine.
fn root_of(path: &Path) -> Cid {
    let tree = crate::content::tree::Tree::list(path).unwrap();
    crate::content::blocks::of_tree(&tree, &protocol::port::Alone, &|_| Ok(())).unwrap().cid
}

fn type_with(world: &World, line: &str, cid: Cid) -> Exit {
    world.type_in(&line.replace('%', &cid.to_string()))
}

#[test]
fn a_directory_goes_in_and_comes_out_identical() {
    let world = filled();
    assert_eq!(world.type_in("put @in"), Exit::Success);
    let root = root_of(&world.path("in"));
    assert_eq!(type_with(&world, "get % -o @out", root), Exit::Success);
    assert_eq!(root_of(&world.path("out")), root);
    assert_eq!(listing(&world.path("out")), listing(&world.path("in")));
    assert_eq!(fs::read_link(world.path("out/link")).unwrap(), Path::new("small"));
    for line in ["ls %", "ls %/sub -q", "ls %/small", "stat % --deep", "stat %/sub/large --json"] {
        assert_eq!(type_with(&world, line, root), Exit::Success, "{line}");
    }
    assert_eq!(type_with(&world, "get %/sub/large -o @one", root), Exit::Success);
    assert_eq!(fs::read(world.path("one")).unwrap(), vec![7; (3 << 20) + 5]);
    for wrong in ["ls %/gone", "get %/small/below -o @x", "get % -o -", "get bafy -o @x"] {
        assert_eq!(type_with(&world, wrong, root), Exit::Usage, "{wrong}");
    }
}

#[test]
fn what_the_node_has_is_not_sent_again() {
    let world = filled();
    assert_eq!(world.type_in("put @in --name first"), Exit::Success);
    let sent = world.polity.put_blocks();
    assert_eq!(
        sent, 9,
        "2 small files, 1 leaf four times and another, 1 node, a link, 3 directories"
    );
    assert_eq!(world.type_in("put @in --json"), Exit::Success);
    assert_eq!(world.polity.put_blocks(), sent);
    world.write("in/small", b"other");
    assert_eq!(world.type_in("put @in"), Exit::Success);
    assert_eq!(world.polity.put_blocks(), sent + 2, "the file and its directory");
}

#[test]
fn a_wrapped_file_keeps_its_name_and_a_hash_needs_no_node() {
    let world = filled();
    assert_eq!(world.type_in("put @in/small --wrap"), Exit::Success);
    let mut directory = DirectoryBuilder::new();
    let cid = Cid::of(Codec::Raw, b"small");
    directory.push(Entry { name: "small".into(), cid, size_bytes: 5 }).unwrap();
    let root = directory.finish(|_| Ok::<(), objects::Error>(())).unwrap().cid;
    assert_eq!(type_with(&world, "get %/small -o @out", root), Exit::Success);
    assert_eq!(world.read("out"), "small");
    let nobody = world.text("nobody");
    let args = ["--data", &nobody, "put", &world.text("in"), "--only-hash"];
    assert_eq!(type_in(&House::default(), &args), Exit::Success);
    assert!(!world.path("nobody").exists());
    assert_eq!(world.type_in("put @gone"), Exit::Usage);
    assert_eq!(world.type_in("put @in --only-hash --no-pin"), Exit::Usage);
}

#[test]
fn what_is_there_and_the_same_stays_and_what_differs_is_not_touched() {
    let world = filled();
    assert_eq!(world.type_in("put @in"), Exit::Success);
    let root = root_of(&world.path("in"));
    assert_eq!(type_with(&world, "get % -o @out", root), Exit::Success);
    fs::remove_file(world.path("out/small")).unwrap();
    assert_eq!(type_with(&world, "get % -o @out", root), Exit::Success, "it goes on");
    assert_eq!(root_of(&world.path("out")), root);
    world.write("out/sub/large", b"mine");
    assert_eq!(type_with(&world, "get % -o @out", root), Exit::Usage);
    assert_eq!(world.read("out/sub/large"), "mine");
    assert_eq!(type_with(&world, "get % -o @out --force", root), Exit::Success);
    assert_eq!(root_of(&world.path("out")), root);
}

#[test]
fn a_part_is_gone_on_with_and_a_wrong_one_is_not_believed() {
    let world = filled();
    assert_eq!(world.type_in("put @in/sub/large"), Exit::Success);
    let content = vec![7; (3 << 20) + 5];
    let root = file(&content.clone().into()).0.cid;
    for part in [&content[..(1 << 20) + 9], &[8; 2 << 20], &[7; 5 << 20]] {
        fs::write(crate::content::restore::part(&world.path("large"), root), part).unwrap();
        assert_eq!(type_with(&world, "get % -o @large", root), Exit::Success);
        assert_eq!(fs::read(world.path("large")).unwrap(), content);
        fs::remove_file(world.path("large")).unwrap();
    }
}

/// A directory with entries that no file system gave, in the store.
fn forged(world: &World, entries: &[(&str, &Block)]) -> Cid {
    let mut directory = DirectoryBuilder::new();
    for (name, block) in entries {
        world.polity.spoil(block.cid, Some(&block.bytes));
        let size_bytes = block.bytes.len() as u64;
        directory.push(Entry { name: (*name).into(), cid: block.cid, size_bytes }).unwrap();
    }
    let keep = |block: Block| {
        world.polity.spoil(block.cid, Some(&block.bytes));
        Ok::<(), objects::Error>(())
    };
    directory.finish(keep).unwrap().cid
}

#[test]
fn nothing_is_written_outside_of_the_target_or_through_a_link() {
    let world = World::new();
    world.write("victim/file", b"mine");
    let evil = Block::of(Codec::Raw, &b"evil"[..]);
    let inner = forged(&world, &[("file", &evil)]);
    let inner = Block { cid: inner, bytes: directory_bytes(&[("file", &evil)]) };
    let out = symlink(world.path("victim").to_str().unwrap());
    let up = symlink("../victim/file");
    let fine = symlink("file");
    let root = forged(&world, &[("a", &out), ("b", &up), ("c", &fine), ("file", &evil)]);
    assert_eq!(type_with(&world, "get % -o @out", root), Exit::Success);
    assert_eq!(listing(&world.path("out")), ["c", "file"]);
    // A link that is there already is not followed either.
    link(world.path("victim"), world.path("out/dir")).unwrap();
    let root = forged(&world, &[("dir", &inner)]);
    assert_eq!(type_with(&world, "get % -o @out", root), Exit::Usage);
    fs::create_dir(world.path("other")).unwrap();
    link(world.path("victim/file"), world.path("other/file")).unwrap();
    let root = forged(&world, &[("file", &evil)]);
    assert_eq!(type_with(&world, "get % -o @other --force", root), Exit::Usage);
    assert_eq!(world.read("victim/file"), "mine");
    // A name that moves the cursor.
    let root = forged(&world, &[("a\x1b[2J", &evil)]);
    assert_eq!(type_with(&world, "get % -o @third", root), Exit::Unverified);
    assert_eq!(type_with(&world, "ls %", root), Exit::Success);
}

fn directory_bytes(entries: &[(&str, &Block)]) -> bytes::Bytes {
    let entry = |(name, block): &(&str, &Block)| Entry {
        name: (*name).into(),
        cid: block.cid,
        size_bytes: block.bytes.len() as u64,
    };
    objects::directory(&entries.iter().map(entry).collect::<Vec<_>>()).unwrap().bytes
}

#[test]
fn a_car_goes_out_and_comes_in_and_a_cut_or_forged_one_is_refused() {
    let world = filled();
    assert_eq!(world.type_in("put @in"), Exit::Success);
    let root = root_of(&world.path("in"));
    assert_eq!(type_with(&world, "export % -o @all.car", root), Exit::Success);
    assert_eq!(type_with(&world, "export % -o @all.car", root), Exit::Usage, "it is there");
    let other = World::new();
    let bytes = fs::read(world.path("all.car")).unwrap();
    assert!(bytes.starts_with(&car::header(&[root])));
    other.write("all.car", &bytes);
    other.write("cut.car", &bytes[..bytes.len() - 1]);
    let mut forged = bytes.clone();
    *forged.last_mut().unwrap() ^= 1;
    other.write("forged.car", &forged);
    for wrong in ["cut", "forged"] {
        assert_eq!(other.type_in(&format!("import @{wrong}.car")), Exit::Unverified, "{wrong}");
    }
    assert_eq!(other.type_in("import @all.car"), Exit::Success);
    assert_eq!(type_with(&other, "get % -o @out", root), Exit::Success);
    assert_eq!(root_of(&other.path("out")), root);
    // Without all blocks it cannot be pinned.
    let third = World::new();
    third.write("roots.car", &car::header(&[root]));
    assert_eq!(third.type_in("import @roots.car"), Exit::Unverified);
    assert_eq!(third.type_in("import @roots.car --no-pin"), Exit::Success);
}

#[test]
fn what_is_unpinned_is_given_up_and_what_is_pinned_stays() {
    let world = filled();
    assert_eq!(world.type_in("put @in"), Exit::Success);
    assert_eq!(world.type_in("put @in/small --no-pin"), Exit::Success);
    let root = root_of(&world.path("in"));
    for line in ["storage status", "storage pins", "storage pins --label user --json"] {
        assert_eq!(world.type_in(line), Exit::Success, "{line}");
    }
    assert_eq!(type_with(&world, "pin %/sub --name sub", root), Exit::Success);
    assert_eq!(type_with(&world, "unpin %", root), Exit::Success);
    assert_eq!(type_with(&world, "unpin %", root), Exit::Usage, "it is not pinned");
    assert_eq!(world.type_in("storage gc --dry-run"), Exit::Success);
    assert_eq!(type_with(&world, "get %/small -o @before", root), Exit::Success);
    assert_eq!(world.type_in("storage gc"), Exit::Success);
    assert_eq!(type_with(&world, "get %/small -o @after", root), Exit::Unverified);
    let sub = root_of(&world.path("in/sub"));
    assert_eq!(type_with(&world, "get % -o @sub", sub), Exit::Success);
}

#[test]
fn damage_is_told_with_what_to_do_and_lost_blocks_with_their_names() {
    let world = filled();
    assert_eq!(world.type_in("put @in"), Exit::Success);
    assert_eq!(world.type_in("storage verify"), Exit::Success);
    assert_eq!(world.type_in("storage scrub"), Exit::Success);
    let root = root_of(&world.path("in"));
    let small = Cid::of(Codec::Raw, b"small");
    world.polity.spoil(small, Some(b"spoiled"));
    assert_eq!(world.type_in("storage verify"), Exit::Unverified);
    assert_eq!(type_with(&world, "get % -o @out", root), Exit::Unverified);
    world.polity.spoil(small, None);
    assert_eq!(type_with(&world, "get % -o @out", root), Exit::Unverified);
    assert_eq!(world.type_in("put @in"), Exit::Success, "what was lost is sent again");
    assert_eq!(type_with(&world, "get % -o @out", root), Exit::Success);
}

#[test]
fn what_the_node_lacks_is_fetched_first_and_a_peer_can_be_named() {
    let world = World::new();
    let (root, blocks) = file(&vec![9; 3 << 20].into());
    world.polity.foreign(blocks);
    assert_eq!(type_with(&world, "get % -o @out", root.cid), Exit::Unverified);
    assert_eq!(type_with(&world, "get % -o @out --from /peer", root.cid), Exit::Success);
    assert_eq!(fs::read(world.path("out")).unwrap(), vec![9; 3 << 20]);
    let line = "pin % --from /peer --from /other";
    assert_eq!(type_with(&world, line, root.cid), Exit::Success);
}

#[test]
fn what_is_spread_is_found_and_what_is_not_is_told() {
    let world = filled();
    assert_eq!(world.type_in("put @in --durability 4+2"), Exit::Success);
    let root = root_of(&world.path("in"));
    assert_eq!(type_with(&world, "storage where %", root), Exit::Success);
    assert_eq!(type_with(&world, "storage where % --json", root), Exit::Success);
    let sub = root_of(&world.path("in/sub"));
    assert_eq!(type_with(&world, "storage where %", sub), Exit::Usage);
    assert_eq!(type_with(&world, "storage where %/sub", root), Exit::Usage);
    assert_eq!(type_with(&world, "storage protect % x3", sub), Exit::Success);
    assert_eq!(type_with(&world, "storage where %", sub), Exit::Success);
    for wrong in ["0+2", "4", "65+1", "x1"] {
        let line = format!("storage protect % {wrong}");
        assert_eq!(type_with(&world, &line, root), Exit::Usage, "{wrong}");
    }
}

#[test]
fn results_of_a_job_are_spread_if_that_is_asked_for() {
    let world = World::new();
    world.write("in/a.csv", b"a");
    world.write("in/b.csv", b"b");
    let run = "run @program.wasm --each @in/*.csv -o @out --durability x3";
    assert_eq!(world.type_in(&format!("{run} --save @job.toml")), Exit::Success);
    let root = root_of(&world.path("out"));
    assert_eq!(type_with(&world, "storage where %", root), Exit::Success);
    assert!(world.read("job.toml").contains("durability = \"x3\""));
    assert_eq!(world.type_in(&format!("{run} --detach")), Exit::Usage);
    // The job file says it again.
    let small = Cid::of(Codec::Raw, b"a");
    world.polity.spoil(small, None);
    assert_eq!(world.type_in("run @job.toml"), Exit::Success);
    let root = root_of(&world.path("out"));
    assert_eq!(type_with(&world, "storage where %", root), Exit::Success);
    assert_eq!(type_with(&world, "get % -o @again", root), Exit::Success);
    assert_eq!(root_of(&world.path("again")), root);
}
