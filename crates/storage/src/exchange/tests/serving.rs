//! The server's side.

use super::{
    wire::{decode_answer, encode_request},
    *,
};
use futures::AsyncWriteExt;
use protocol::port::{Offence, Stream, StreamError, read_frame, write_frame};

async fn next(stream: &mut Stream) -> Option<Bytes> {
    let frame = read_frame(stream, 1 << 20).await.expect("a frame").expect("not the end");
    decode_answer(frame).expect("an answer")
}

async fn is_closed(stream: &mut Stream) -> bool {
    matches!(read_frame(stream, 1 << 20).await, Ok(None) | Err(_))
}

#[tokio::test]
async fn many_requests_share_a_stream_and_answers_come_in_order() {
    let mesh = Mesh::new();
    let (server, client) = (node(&mesh, 1, Config::default()), mesh.node(key(2)));
    server.blobs.put(vec![blob(0), blob(2)]).await.expect("kept");
    let mut stream = client.open(key(1), PROTOCOL).await.expect("open");
    for _ in 0..3 {
        let wants = [blob(0).0, blob(1).0, blob(2).0, blob(0).0];
        write_frame(&mut stream, &encode_request(&wants)).await.expect("sent");
        assert_eq!(next(&mut stream).await, Some(blob(0).1));
        assert_eq!(next(&mut stream).await, None);
        assert_eq!(next(&mut stream).await, Some(blob(2).1));
        assert_eq!(next(&mut stream).await, Some(blob(0).1));
    }
    stream.close().await.expect("closed");
    assert!(is_closed(&mut stream).await && mesh.offences().is_empty());
}

#[tokio::test]
async fn what_the_gate_keeps_back_looks_as_if_it_were_not_here() {
    let mesh = Mesh::new();
    let blobs = MemoryBlobs::new();
    blobs.put(vec![blob(0), blob(1)]).await.expect("kept");
    let gate = |peer: PublicKey, cid: &Cid| peer == key(2) || *cid != blob(1).0;
    let clock = Arc::new(Patience::default());
    let streams = mesh.node(key(1));
    let _server = serve(Arc::new(blobs), streams, clock, Arc::new(gate), Config::default())
        .expect("the protocol is free");
    for (peer, expected) in [(2, Some(blob(1).1)), (3, None)] {
        let mut stream = mesh.node(key(peer)).open(key(1), PROTOCOL).await.expect("open");
        let wants = [blob(0).0, blob(1).0];
        write_frame(&mut stream, &encode_request(&wants)).await.expect("sent");
        assert_eq!(next(&mut stream).await, Some(blob(0).1));
        assert_eq!(next(&mut stream).await, expected);
    }
}

#[tokio::test]
async fn oversized_and_malformed_requests_close_the_stream_and_are_offences() {
    let mesh = Mesh::new();
    let (_server, client) = (node(&mesh, 1, Config::default()), mesh.node(key(2)));
    let mut stream = client.open(key(1), PROTOCOL).await.expect("open");
    let length = u32::try_from(MAX_WANTS * 36 + 1).expect("small").to_be_bytes();
    stream.write_all(&length).await.expect("sent");
    assert!(is_closed(&mut stream).await);
    let mut stream = client.open(key(1), PROTOCOL).await.expect("open");
    write_frame(&mut stream, b"not a CID").await.expect("sent");
    assert!(is_closed(&mut stream).await);
    let expected = [Offence::Oversized, Offence::Malformed].map(|what| (key(1), key(2), what));
    assert_eq!(mesh.offences(), expected);
}

#[tokio::test]
async fn a_peer_with_too_many_streams_is_refused_and_others_are_served() {
    let mesh = Mesh::new();
    let config = Config { serve_streams: 3, serve_streams_per_peer: 2, ..Config::default() };
    let server = node(&mesh, 1, config);
    server.blobs.put(vec![blob(0)]).await.expect("kept");
    let ask = async |seed: u8| {
        let mut stream = mesh.node(key(seed)).open(key(1), PROTOCOL).await.expect("open");
        // A stream that was closed already may refuse the request.
        drop(write_frame(&mut stream, &encode_request(&[blob(0).0])).await);
        stream
    };
    let (mut one, mut two) = (ask(2).await, ask(2).await);
    assert!(next(&mut one).await.is_some() && next(&mut two).await.is_some());
    assert!(is_closed(&mut ask(2).await).await);
    assert_eq!(mesh.offences(), [(key(1), key(2), Offence::Flooding)]);
    let mut other = ask(3).await;
    assert!(next(&mut other).await.is_some());
    assert!(is_closed(&mut ask(4).await).await, "the server is busy");
    assert_eq!(mesh.offences().len(), 1, "which is nobody's offence");
    one.close().await.expect("closed");
    assert!(is_closed(&mut one).await, "the server is done with it");
}

#[tokio::test]
async fn an_idle_stream_is_closed_when_its_time_is_up() {
    let mesh = Mesh::new();
    let over = Arc::new(Patience { is_over: AtomicBool::new(true) });
    let anyone = |_: PublicKey, _: &Cid| true;
    let blobs = Arc::new(MemoryBlobs::new());
    let server = serve(blobs, mesh.node(key(1)), over, Arc::new(anyone), Config::default());
    let _server = server.expect("the protocol is free");
    let mut stream = mesh.node(key(2)).open(key(1), PROTOCOL).await.expect("open");
    assert!(is_closed(&mut stream).await);
    assert!(mesh.offences().is_empty());
}

#[tokio::test]
async fn a_stopped_server_ends_its_streams_and_gives_the_protocol_free() {
    let mesh = Mesh::new();
    let Node { streams, blobs, _server } = node(&mesh, 1, Config::default());
    let mut stream = mesh.node(key(2)).open(key(1), PROTOCOL).await.expect("open");
    write_frame(&mut stream, &encode_request(&[blob(0).0])).await.expect("sent");
    assert_eq!(next(&mut stream).await, None);
    let clock = Arc::new(Patience::default());
    let anyone = Arc::new(|_: PublicKey, _: &Cid| true);
    let again = || {
        let blobs = Arc::new(blobs.clone());
        serve(blobs, streams.clone(), clock.clone(), anyone.clone(), Config::default())
    };
    assert_eq!(again().map(drop), Err(StreamError::Taken(PROTOCOL)));
    _server.stop().await;
    assert!(is_closed(&mut stream).await);
    again().expect("free again");
}
