//! Files and directories, as calls see them.

use crate::support::{answers, command, done, order, printed};
use bytes::Bytes;
use execution::Order;
use protocol::End;

const EXIST: u8 = 20;
const ILSEQ: u8 = 25;
const INVAL: u8 = 28;
const ISDIR: u8 = 31;
const NAMETOOLONG: u8 = 37;
const NOENT: u8 = 44;
const NOTDIR: u8 = 54;
const NOTEMPTY: u8 = 55;
const PERM: u8 = 63;
const ROFS: u8 = 69;

const READ: u64 = 2;
const WRITE: u64 = 64;
const CREAT: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCL: u32 = 4;
const TRUNC: u32 = 8;

/// Builds the text of calls, and of the data that their paths are in.
#[derive(Default)]
struct Script {
    data: String,
    next: usize,
    calls: Vec<String>,
    expected: Vec<u8>,
}

impl Script {
    /// Address and length of a string, as arguments.
    fn text(&mut self, bytes: &[u8]) -> String {
        let at = 1024 + self.next;
        self.next += bytes.len();
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        self.data += &format!("(data (i32.const {at}) \"{escaped}\")\n");
        format!("(i32.const {at}) (i32.const {})", bytes.len())
    }

    fn call(&mut self, call: String, errno: u8) {
        self.calls.push(call);
        self.expected.push(errno);
    }

    fn open(&mut self, fd: u32, path: impl AsRef<[u8]>, how: u32, rights: u64, errno: u8) {
        self.open_with(fd, path, how, rights, 0, errno);
    }

    fn open_with(
        &mut self,
        fd: u32,
        path: impl AsRef<[u8]>,
        how: u32,
        rights: u64,
        flags: u32,
        errno: u8,
    ) {
        let path = self.text(path.as_ref());
        let call = format!(
            "(call $path_open (i32.const {fd}) (i32.const 1) {path} (i32.const {how})
               (i64.const {rights}) (i64.const 0) (i32.const {flags}) (i32.const 0))"
        );
        self.call(call, errno);
    }

    /// A call that takes a descriptor and a path.
    fn at(&mut self, name: &str, fd: u32, path: impl AsRef<[u8]>, errno: u8) {
        let path = self.text(path.as_ref());
        self.call(format!("(call ${name} (i32.const {fd}) {path})"), errno);
    }

    fn stat(&mut self, fd: u32, path: impl AsRef<[u8]>, errno: u8) {
        let path = self.text(path.as_ref());
        let result = "(i32.const 128)";
        self.call(
            format!("(call $path_filestat_get (i32.const {fd}) (i32.const 0) {path} {result})"),
            errno,
        );
    }

    fn rename(&mut self, from: (u32, &str), to: (u32, &str), errno: u8) {
        let (old, new) = (self.text(from.1.as_bytes()), self.text(to.1.as_bytes()));
        let call =
            format!("(call $path_rename (i32.const {}) {old} (i32.const {}) {new})", from.0, to.0);
        self.call(call, errno);
    }

    /// A write of `bytes` to a descriptor.
    fn write(&mut self, fd: u32, bytes: &str, errno: u8) {
        let list = self.buffer(bytes);
        let call = format!("(call $fd_write (i32.const {fd}) {list} (i32.const 0))");
        self.call(call, errno);
    }

    /// A list of one buffer that holds `bytes`, as arguments.
    fn buffer(&mut self, bytes: &str) -> String {
        let at = 1024 + self.next;
        self.text(bytes.as_bytes());
        let len = bytes.len() as u32;
        let list: Vec<u8> = [at as u32, len].into_iter().flat_map(u32::to_le_bytes).collect();
        let list = self.text(&list);
        format!("{} (i32.const 1)", list.split_inclusive(')').next().unwrap_or_default())
    }

    fn order(&self) -> Order {
        let calls: Vec<&str> = self.calls.iter().map(String::as_str).collect();
        let mut order = order(&answers(&self.data, &calls));
        order.inputs = vec![("a.csv".into(), "1,2,3\n".into()), ("b.csv".into(), "4\n".into())];
        order
    }

    /// Runs all calls and compares every answer; gives the files that are left.
    async fn check(self) -> Vec<(String, Bytes)> {
        let done = done(self.order()).await;
        assert_eq!(done.end, End::Exit(0));
        for (at, call) in self.calls.iter().enumerate() {
            assert_eq!(done.stdout[at], self.expected[at], "call {at}: {call}\n{}", self.data);
        }
        done.outputs
    }
}

#[tokio::test]
async fn no_path_leaves_its_directory() {
    let mut script = Script::default();
    for path in ["..", "../out/f", "/in/a.csv", "/", "a/../..", "./..", "../../etc/passwd"] {
        let errno = if path.starts_with("a/") { NOENT } else { PERM };
        for fd in [3, 4] {
            script.open(fd, path, 0, READ, errno);
            script.open(fd, path, CREAT, WRITE, errno);
            script.stat(fd, path, errno);
            script.at("path_create_directory", fd, path, errno);
            script.at("path_remove_directory", fd, path, errno);
            script.at("path_unlink_file", fd, path, errno);
            script.rename((fd, path), (4, "x"), errno);
        }
    }
    script.at("path_create_directory", 4, "d", 0);
    script.open(4, "d", DIRECTORY, READ, 0);
    script.open(5, "..", 0, READ, PERM);
    script.open(5, "../d", 0, READ, PERM);
    script.open(4, "d/..", 0, READ, 0);
    script.rename((4, "d"), (5, "../e"), PERM);
    assert!(script.check().await.is_empty());
}

#[tokio::test]
async fn inputs_are_read_only() {
    let mut script = Script::default();
    script.open(3, "a.csv", 0, WRITE, ROFS);
    script.open(3, "a.csv", 0, READ | WRITE, ROFS);
    script.open(3, "a.csv", TRUNC, READ, ROFS);
    script.open(3, "new", CREAT, WRITE, ROFS);
    script.at("path_create_directory", 3, "new", ROFS);
    script.at("path_unlink_file", 3, "a.csv", ROFS);
    script.rename((3, "a.csv"), (4, "a.csv"), ROFS);
    script.rename((3, "a.csv"), (3, "c.csv"), ROFS);
    script.open(3, "a.csv", 0, READ, 0);
    script.write(5, "x", 8);
    script.call("(call $fd_filestat_set_size (i32.const 5) (i64.const 0))".into(), 8);
    script.call(
        "(call $fd_filestat_set_times (i32.const 5) (i64.const 0) (i64.const 0) (i32.const 5))"
            .into(),
        ROFS,
    );
    script.open(4, "f", CREAT, WRITE, 0);
    script.rename((4, "f"), (3, "f"), ROFS);
    let left: Vec<_> = script.check().await.into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, ["f"]);
}

#[tokio::test]
async fn files_open_as_they_are_asked_for() {
    let mut script = Script::default();
    script.open(4, "f", 0, READ, NOENT);
    script.open(4, "f", CREAT | EXCL, WRITE, 0);
    script.open(4, "f", CREAT | EXCL, WRITE, EXIST);
    script.open(4, "f", DIRECTORY, READ, NOTDIR);
    script.open(4, "f/", 0, READ, NOTDIR);
    script.open(4, "f/g", CREAT, WRITE, NOTDIR);
    script.open(4, "g/", CREAT, WRITE, ISDIR);
    script.open(4, "g", CREAT | DIRECTORY, WRITE, INVAL);
    script.open(4, "d/f", CREAT, WRITE, NOENT);
    script.open(4, "", CREAT, WRITE, NOENT);
    script.open(4, "f", 16, READ, INVAL);
    script.open(4, ".", 0, READ, 0);
    script.open(4, ".", 0, WRITE, ISDIR);
    script.open(4, ".", CREAT | EXCL, READ, EXIST);
    script.open(4, b"bad\xff", CREAT, WRITE, ILSEQ);
    script.open(4, "line\nbreak", CREAT, WRITE, ILSEQ);
    script.open(4, "n".repeat(256), CREAT, WRITE, NAMETOOLONG);
    script.open(4, "n/".repeat(2100), CREAT, WRITE, NAMETOOLONG);
    script.open(1, "f", 0, READ, NOTDIR);
    script.open(99, "f", 0, READ, 8);
    script.write(5, "content", 0);
    script.open(4, "f", TRUNC, WRITE, 0);
    script.write(7, "new", 0);
    script.open_with(4, "f", 0, WRITE, 1, 0);
    script.write(8, "er", 0);
    let left = script.check().await;
    assert_eq!(left, [("f".to_owned(), Bytes::from("newer"))]);
}

#[tokio::test]
async fn directories_are_made_renamed_and_removed() {
    let mut script = Script::default();
    script.at("path_create_directory", 4, "d", 0);
    script.at("path_create_directory", 4, "d", EXIST);
    script.at("path_create_directory", 4, "d/e/", 0);
    script.at("path_create_directory", 4, "x/y", NOENT);
    script.at("path_create_directory", 4, ".", EXIST);
    script.open(4, "d/e/f", CREAT, WRITE, 0);
    script.at("path_remove_directory", 4, "d/e", NOTEMPTY);
    script.at("path_remove_directory", 4, "d/e/f", NOTDIR);
    script.at("path_unlink_file", 4, "d/e", ISDIR);
    script.at("path_remove_directory", 4, "d/.", INVAL);
    script.rename((4, "d"), (4, "d/e/g"), INVAL);
    script.rename((4, "d/e/f"), (4, "d/e/g/"), NOTDIR);
    script.rename((4, "none"), (4, "some"), NOENT);
    script.rename((4, "d/e"), (4, "moved"), 0);
    script.stat(4, "d/e/f", NOENT);
    script.stat(4, "moved/f", 0);
    script.at("path_remove_directory", 4, "d", 0);
    script.at("path_remove_directory", 4, "d", NOENT);
    let path = script.text(b"moved/f");
    script.call(
        format!(
            "(call $path_readlink (i32.const 4) {path} (i32.const 0) (i32.const 0) (i32.const 0))"
        ),
        INVAL,
    );
    script.write(5, "kept", 0);
    assert_eq!(script.check().await, [("moved/f".to_owned(), Bytes::from("kept"))]);
}

#[tokio::test]
async fn reads_and_writes_move_the_offset_only_where_they_should() {
    let mut script = Script::default();
    script.open(4, "f", CREAT, READ | WRITE, 0);
    script.write(5, "0123456789", 0);
    let list = script.buffer("ab");
    script.call(format!("(call $fd_pwrite (i32.const 5) {list} (i64.const 3) (i32.const 0))"), 0);
    script.write(5, "!", 0);
    script
        .call("(call $fd_seek (i32.const 5) (i64.const -4) (i32.const 2) (i32.const 0))".into(), 0);
    script.write(5, "?", 0);
    script
        .call("(call $fd_seek (i32.const 5) (i64.const 3) (i32.const 1) (i32.const 0))".into(), 0);
    script.write(5, "end", 0);
    script.call(
        "(call $fd_seek (i32.const 5) (i64.const -1) (i32.const 0) (i32.const 0))".into(),
        INVAL,
    );
    script.call(
        "(call $fd_seek (i32.const 5) (i64.const 0) (i32.const 3) (i32.const 0))".into(),
        INVAL,
    );
    script
        .call("(call $fd_seek (i32.const 1) (i64.const 0) (i32.const 1) (i32.const 0))".into(), 70);
    script.call("(call $fd_allocate (i32.const 5) (i64.const 0) (i64.const 20))".into(), 0);
    script.call("(call $fd_allocate (i32.const 5) (i64.const 0) (i64.const 0))".into(), INVAL);
    script.call("(call $fd_allocate (i32.const 5) (i64.const 0) (i64.const 5))".into(), 0);
    script.call(
        "(call $fd_advise (i32.const 5) (i64.const 0) (i64.const 0) (i32.const 6))".into(),
        INVAL,
    );
    script.call("(call $fd_sync (i32.const 5))".into(), 0);
    script.call("(call $fd_datasync (i32.const 5))".into(), 0);
    let left = script.check().await;
    assert_eq!(left, [("f".to_owned(), Bytes::from("012ab56?89!end\0\0\0\0\0\0"))]);
}

#[tokio::test]
async fn descriptors_are_renumbered_and_closed() {
    let mut script = Script::default();
    script.open(4, "f", CREAT, WRITE, 0);
    script.open(4, "g", CREAT, WRITE, 0);
    script.call("(call $fd_renumber (i32.const 5) (i32.const 6))".into(), 0);
    script.write(5, "x", 8);
    script.write(6, "to f", 0);
    script.call("(call $fd_renumber (i32.const 6) (i32.const 6))".into(), 0);
    script.call("(call $fd_renumber (i32.const 6) (i32.const 9))".into(), 8);
    script.call("(call $fd_close (i32.const 9))".into(), 8);
    script.call("(call $fd_close (i32.const 6))".into(), 0);
    script.call("(call $fd_close (i32.const 6))".into(), 8);
    script.call("(call $fd_close (i32.const 3))".into(), 0);
    script.call("(call $fd_close (i32.const 4))".into(), 0);
    script.open(4, "f", 0, READ, 8);
    let left = script.check().await;
    let empty = ("g".to_owned(), Bytes::new());
    assert_eq!(left, [("f".to_owned(), Bytes::from("to f")), empty]);
}

#[tokio::test]
async fn a_removed_file_can_still_be_written_and_is_not_left_behind() {
    let mut script = Script::default();
    script.open(4, "f", CREAT, WRITE, 0);
    script.at("path_unlink_file", 4, "f", 0);
    script.write(5, "gone", 0);
    script.call("(call $fd_filestat_get (i32.const 5) (i32.const 128))".into(), 0);
    script.open(4, "f", CREAT, WRITE, 0);
    script.write(6, "here", 0);
    script.call("(call $fd_close (i32.const 5))".into(), 0);
    assert_eq!(script.check().await, [("f".to_owned(), Bytes::from("here"))]);
}

/// Lists a directory with a buffer of `len` bytes, does `each` and prints every name.
fn lister(fd: u32, len: u32, each: &str) -> String {
    format!(
        r#"(global $cookie (mut i64) (i64.const 0))
        (func $entry (param $at i32) (param $name_len i32)
          {each}
          (call $print (i32.add (local.get $at) (i32.const 24)) (local.get $name_len))
          (i32.store8 (i32.const 100) (i32.const 10))
          (call $print (i32.const 100) (i32.const 1)))
        (func (export "_start") (local $at i32) (local $end i32) (local $name_len i32)
          (loop $fill
            (if (call $fd_readdir (i32.const {fd}) (i32.const 4096) (i32.const {len})
                  (global.get $cookie) (i32.const 0))
              (then unreachable))
            (local.set $at (i32.const 4096))
            (local.set $end (i32.add (i32.const 4096) (i32.load (i32.const 0))))
            (block $filled
              (loop $next
                (br_if $filled
                  (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 24)))
                (local.set $name_len (i32.load offset=16 (local.get $at)))
                (br_if $filled
                  (i32.lt_u (i32.sub (local.get $end) (local.get $at))
                    (i32.add (i32.const 24) (local.get $name_len))))
                (call $entry (local.get $at) (local.get $name_len))
                (global.set $cookie (i64.load (local.get $at)))
                (local.set $at
                  (i32.add (local.get $at) (i32.add (i32.const 24) (local.get $name_len))))
                (br $next)))
            (br_if $fill (i32.eq (i32.load (i32.const 0)) (i32.const {len})))))"#
    )
}

#[tokio::test]
async fn a_listing_is_sorted_whatever_the_order_of_the_inputs_and_the_buffer() {
    let mut names: Vec<String> = (0..200).map(|i| format!("{:03}", i * 7919 % 1000)).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let expected = format!(".\n..\n{}\n", sorted.join("\n"));
    for len in [32, 50, 1000, 30_000] {
        names.rotate_left(31);
        let mut order = order(&command(&lister(3, len, "")));
        order.inputs = names.iter().map(|name| (name.clone(), Bytes::new())).collect();
        assert_eq!(printed(order).await, expected, "a buffer of {len} bytes");
    }
}

#[tokio::test]
async fn a_guest_that_removes_what_it_lists_misses_nothing() {
    let remove = r#"
        (if (i32.gt_u (local.get $name_len) (i32.const 2))
          (then
            (if (call $path_unlink_file
                  (i32.const 4) (i32.add (local.get $at) (i32.const 24)) (local.get $name_len))
              (then unreachable))))"#;
    let program = command(&format!(
        r#"(func $make (local $i i32)
             (loop $again
               (i32.store (i32.const 200) (i32.add (i32.const 0x30303030) (local.get $i)))
               (drop (call $path_open (i32.const 4) (i32.const 0) (i32.const 200) (i32.const 4)
                 (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))
               (drop (call $fd_close (i32.load (i32.const 0))))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $again (i32.lt_u (local.get $i) (i32.const 10)))))
           (start $make)
           {}"#,
        lister(4, 100, remove)
    ));
    let done = done(order(&program)).await;
    assert!(done.outputs.is_empty(), "{:?}", done.outputs);
    assert_eq!(done.stdout.iter().filter(|byte| **byte == b'\n').count(), 12);
}
