//! A program in Rust, with its standard library, compiled here as a module and as a component.

use crate::support::{LIMITS, engine, order};
use bytes::Bytes;
use execution::{Done, Engine, Order, Ran, inspect};
use protocol::{End, Limits};
use std::{fs, process::Command};

/// What the guest does is decided by its first argument.
const SOURCE: &str = r#"
use std::{env, fs, io::{self, Read, Seek, SeekFrom, Write}, path::Path, time::{Duration, Instant, SystemTime}};

fn main() {
    let args: Vec<String> = env::args().collect();
    assert_eq!(args[0], "program");
    assert_eq!(env::vars().count(), 0);
    match args[1].as_str() {
        "sum" => sum(),
        "files" => files(),
        "time" => time(),
        "map" => map(),
        "network" => network(),
        "panic" => panic!("as asked"),
        "exit" => std::process::exit(args[2].parse().unwrap()),
        "recurse" => println!("{}", recurse(0)),
        other => panic!("{other}"),
    }
}

fn sum() {
    let mut names: Vec<_> = fs::read_dir("/in").unwrap().map(|e| e.unwrap().file_name()).collect();
    let listed = names.clone();
    names.sort();
    assert_eq!(names, listed, "sorted");
    for name in names {
        let path = Path::new("/in").join(&name);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), text.len() as u64);
        let sum: f64 = text.split([',', '\n']).filter_map(|n| n.parse::<f64>().ok()).sum();
        println!("{} {sum}", name.to_str().unwrap());
        fs::write(Path::new("/out").join(&name), format!("{sum:e}\n")).unwrap();
    }
    let mut input = String::new();
    io::stdin().read_to_string(&mut input).unwrap();
    eprint!("{}", input.to_uppercase());
}

fn files() {
    fs::create_dir_all("/out/a/b").unwrap();
    let mut file = fs::File::options().read(true).write(true).create(true).open("/out/a/b/c").unwrap();
    file.write_all(b"hello world").unwrap();
    file.seek(SeekFrom::Start(6)).unwrap();
    file.write_all(b"there").unwrap();
    file.rewind().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello there");
    file.set_len(5).unwrap();
    file.sync_all().unwrap();
    drop(file);
    let mut file = fs::File::options().append(true).open("/out/a/b/c").unwrap();
    file.write_all(b"!").unwrap();
    fs::copy("/out/a/b/c", "/out/copy").unwrap();
    fs::rename("/out/a/b", "/out/moved").unwrap();
    fs::write("/out/temporary", "x").unwrap();
    fs::remove_file("/out/temporary").unwrap();
    fs::remove_dir("/out/a").unwrap();
    fs::create_dir_all("/out/gone/deep").unwrap();
    fs::write("/out/gone/deep/file", "x").unwrap();
    fs::remove_dir_all("/out/gone").unwrap();
    assert!(fs::metadata("/out/gone").is_err());
    assert!(fs::write("/in/new", "x").is_err());
    assert!(fs::File::create("/in/a.csv").is_err());
    assert!(fs::read("/in/none").is_err());
    assert!(fs::read("/etc/passwd").is_err());
    assert!(fs::read("/in/../../etc/passwd").is_err());
    assert!(fs::read("/out/../in/a.csv").is_err());
    assert!(fs::read_dir("/").is_err());
    let about = fs::metadata("/out/copy").unwrap();
    assert_eq!(about.modified().unwrap(), SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800));
    print!("{}", fs::read_to_string("/out/moved/c").unwrap());
}

fn time() {
    let (wall, start) = (SystemTime::now(), Instant::now());
    std::thread::sleep(Duration::from_secs(3600));
    let slept = start.elapsed();
    assert!(slept >= Duration::from_secs(3600) && slept < Duration::from_secs(3601), "{slept:?}");
    println!("{} {}", wall.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos(), slept.as_nanos());
}

/// The order of a hash map follows from the randomness that it is given.
fn map() {
    let map: std::collections::HashMap<u32, u32> = (0..100).map(|n| (n, n)).collect();
    println!("{:?}", map.keys().collect::<Vec<_>>());
}

fn network() {
    use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
    assert!(TcpStream::connect("127.0.0.1:80").is_err());
    assert!(TcpListener::bind("127.0.0.1:0").is_err());
    assert!(UdpSocket::bind("127.0.0.1:0").is_err());
    assert!("example.com:80".to_socket_addrs().is_err());
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + here[3] }
}
"#;

fn guest(target: &str) -> Bytes {
    let directory = tempfile::tempdir().unwrap();
    let (source, program) =
        (directory.path().join("guest.rs"), directory.path().join("guest.wasm"));
    fs::write(&source, SOURCE).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let compiled = Command::new(rustc)
        .args(["--edition", "2024", "--target", target, "-O", "-o"])
        .args([&program, &source])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    fs::read(program).unwrap().into()
}

fn ask(program: &Bytes, args: &[&str]) -> Order {
    let mut order = order(program);
    order.args = args.iter().map(|&arg| arg.into()).collect();
    order.inputs =
        vec![("b.csv".into(), "0.1,0.2\n".into()), ("a.csv".into(), "1,2.5,-7e3\n".into())];
    order.stdin = Some("to stderr".into());
    order.limits = Limits { memory_bytes: 64 << 20, ..LIMITS };
    order
}

/// Two tests, as compiling the guest is most of their work.
#[tokio::test]
async fn a_rust_module_finds_a_world_that_its_standard_library_understands() {
    let guest = Guest::new("wasm32-wasip1");
    guest.check().await;
    assert_eq!(guest.run(&["exit", "42"]).await.end, End::Exit(42));
}

#[tokio::test]
async fn a_rust_component_finds_the_same_world_as_a_module() {
    let (component, module) = (Guest::new("wasm32-wasip2"), Guest::new("wasm32-wasip1"));
    component.check().await;
    // WASI 0.2.0 knows success and failure only.
    assert_eq!(component.run(&["exit", "42"]).await.end, End::Exit(1));
    for args in [&["sum"][..], &["files"], &["map"], &["network"], &["panic"], &["exit", "0"]] {
        let (one, other) = (component.run(args).await, module.run(args).await);
        assert_eq!(one.end, other.end, "{args:?}");
        assert_eq!(one.stdout, other.stdout, "{args:?}");
        assert_eq!(one.outputs, other.outputs, "{args:?}");
        if args != ["panic"] {
            assert_eq!(one.stderr, other.stderr, "{args:?}");
        }
    }
}

struct Guest {
    engine: Engine,
    program: Bytes,
}

impl Guest {
    fn new(target: &str) -> Self {
        let program = guest(target);
        inspect(&program).unwrap();
        Self { engine: engine(), program }
    }

    async fn run_order(&self, order: Order) -> Done {
        match self.engine.run(order).await {
            Ran::Done(done) => done,
            Ran::NoResult(reason) => panic!("no result: {reason:?}"),
        }
    }

    /// Runs twice, and compares.
    async fn run(&self, args: &[&str]) -> Done {
        let ended = self.run_order(ask(&self.program, args)).await;
        assert_eq!(ended, self.run_order(ask(&self.program, args)).await, "{args:?}");
        ended
    }

    async fn check(&self) {
        let sum = self.run(&["sum"]).await;
        assert_eq!(sum.end, End::Exit(0), "{sum:?}");
        assert_eq!(sum.stdout, "a.csv -6996.5\nb.csv 0.30000000000000004\n");
        assert_eq!(sum.stderr, "TO STDERR");
        let file = |path: &str, text: &'static str| (path.to_owned(), Bytes::from(text));
        let sums = [file("a.csv", "-6.9965e3\n"), file("b.csv", "3.0000000000000004e-1\n")];
        assert_eq!(sum.outputs, sums);

        let files = self.run(&["files"]).await;
        assert_eq!(files.end, End::Exit(0), "{files:?}");
        assert_eq!(files.stdout, "hello!");
        assert_eq!(files.outputs, [file("copy", "hello!"), file("moved/c", "hello!")]);

        let time = self.run(&["time"]).await;
        assert_eq!(time.end, End::Exit(0), "{time:?}");
        assert!(time.stdout.starts_with(b"946684800000"), "{:?}", time.stdout);

        let map = self.run(&["map"]).await;
        let mut other = ask(&self.program, &["map"]);
        other.seed = identity::Digest::plain(b"other seed");
        assert_ne!(self.run_order(other).await.stdout, map.stdout);

        let network = self.run(&["network"]).await;
        assert_eq!(network.end, End::Exit(0), "{network:?}");

        let panicked = self.run(&["panic"]).await;
        assert_eq!(panicked.end, End::Trap(protocol::Trap::Unreachable));
        assert!(String::from_utf8_lossy(&panicked.stderr).contains("as asked"));
        // Its stack is in its own memory, so this is its own fault, and comparable.
        assert!(matches!(self.run(&["recurse"]).await.end, End::Trap(_)));
    }
}
