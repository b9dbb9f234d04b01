//! Content over HTTP, for tools of IPFS.

use crate::{Society, listing, society::free_port, tree};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

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
