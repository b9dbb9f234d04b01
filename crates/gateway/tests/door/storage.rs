//! The paths of the store, asked by the real client.

use crate::{
    assert_fails,
    fake::{Fake, House, blob},
    raw, request,
};
use api::{
    ApiError, Blocks, Chore, ChoreReport, Chores, Code, HolderInfo, PinInfo, PinMode, Progress,
    Received, Reply, Stock, StorageApi, Whereabouts, blobs_of, path,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use identity::PublicKey;
use objects::{Block, Cid, Codec, car};
use protocol::{Time, durability::Tolerance};

/// A label, and a place between pins.
type Asked = (Option<String>, Option<(String, Cid)>);

/// What the fake was asked to keep, and to forget.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) blocks: Vec<(Cid, Bytes)>,
    pub(crate) unpinned: Vec<(String, Cid)>,
    pub(crate) chores: Vec<Chore>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) changes: Vec<api::ClusterChange>,
}

fn pin() -> PinInfo {
    PinInfo {
        label: "user".into(),
        root: root(),
        mode: PinMode::Recursive,
        name: Some("a & b".into()),
        since: Time(7),
    }
}

fn root() -> Cid {
    Cid::of(Codec::Raw, &blob())
}

fn stock() -> Stock {
    Stock { blobs: 1, bytes: 2, scrubbed: Some(Time(3)), ..Stock::default() }
}

fn whereabouts(object: Cid) -> Whereabouts {
    let node = PublicKey([1; 32]);
    Whereabouts {
        object,
        manifest: object,
        maker: node,
        durability: "4+2".parse().unwrap(),
        blocks: 1,
        bytes: 2,
        sequence: 3,
        holders: vec![HolderInfo {
            node,
            owner_name: "lab".into(),
            slots: vec![0, 5],
            shards: 2,
            bytes: 4,
            present: 1,
            absent: 1,
            unreachable: Some("gone".into()),
        }],
        unreadable: 0,
        tolerance: Some(Tolerance { owners: 1, nodes: 2 }),
    }
}

fn going() -> Progress {
    Progress::Going { blocks: 1, bytes: 10, of_bytes: Some(20) }
}

fn done() -> Progress {
    Progress::Done(ChoreReport::Repaired { healed: 1, missing: vec![root()] })
}

impl StorageApi for Fake {
    fn put(&self, mut blocks: Blocks) -> Reply<'_, Received> {
        async move {
            let mut received = Received::default();
            while let Some(block) = blocks.next().await {
                let (cid, bytes) = block?;
                let checked = cid.check(&bytes);
                checked.map_err(|error| ApiError::new(Code::ContentMismatch, error.to_string()))?;
                received.blocks += 1;
                received.bytes += bytes.len() as u64;
                self.kept.lock().unwrap().blocks.push((cid, bytes));
            }
            Ok(received)
        }
        .boxed()
    }

    fn pins(&self, label: Option<String>, after: Option<(String, Cid)>) -> Reply<'_, Vec<PinInfo>> {
        self.kept.lock().unwrap().asked.push((label, after));
        async { Ok(vec![pin()]) }.boxed()
    }

    fn unpin(&self, label: String, root: Cid) -> Reply<'_, ()> {
        self.kept.lock().unwrap().unpinned.push((label, root));
        async { Ok(()) }.boxed()
    }

    fn stock(&self) -> Reply<'_, Stock> {
        async { Ok(stock()) }.boxed()
    }

    fn whereabouts(&self, object: Cid) -> Reply<'_, Vec<Whereabouts>> {
        async move { Ok(vec![whereabouts(object)]) }.boxed()
    }

    fn chore(&self, chore: Chore) -> Reply<'_, Chores> {
        let told = match chore {
            Chore::Verify => vec![Ok(going())],
            Chore::Repair => vec![Ok(going()), Ok(done())],
            _ => vec![Err(ApiError::new(Code::Busy, "another one").next("wait"))],
        };
        self.kept.lock().unwrap().chores.push(chore);
        async { Ok(stream::iter(told).boxed()) }.boxed()
    }
}

fn blocks() -> Vec<(Cid, Bytes)> {
    let large = Bytes::from(vec![7; 3 << 20]);
    [blob(), large, Bytes::new()].into_iter().map(|b| (Cid::of(Codec::Raw, &b), b)).collect()
}

#[tokio::test]
async fn blocks_that_are_put_arrive_whole() {
    let house = House::open().await;
    let received = house.client().put(blobs_of(blocks())).await.unwrap();
    assert_eq!(house.node.kept.lock().unwrap().blocks, blocks());
    let bytes = blocks().iter().map(|(_, bytes)| bytes.len() as u64).sum();
    assert_eq!(received, Received { blocks: 3, bytes });
    assert_eq!(house.client().put(blobs_of(Vec::new())).await, Ok(Received::default()));
}

#[tokio::test]
async fn a_put_that_is_cut_or_forged_is_refused() {
    let house = House::open().await;
    let block = Block { cid: root(), bytes: blob() };
    let whole = [car::header(&[]), car::section(&block)].concat();
    let put = |body: &[u8]| request("POST", path::PUT_PATH, body);
    let cut = raw(house.addr(), &put(&whole[..whole.len() - 1])).await;
    assert_fails(&cut, 400, Code::Malformed);
    let mut forged = whole.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_fails(&raw(house.addr(), &put(&forged)).await, 400, Code::ContentMismatch);
    assert_fails(&raw(house.addr(), &put(b"no car")).await, 400, Code::Malformed);
    assert!(house.node.kept.lock().unwrap().blocks.is_empty());
    let failure = ApiError::new(Code::Refused, "a.csv: it changed while it was read");
    let source = stream::iter(vec![Err(failure.clone())]).boxed();
    assert_eq!(house.client().put(source).await, Err(failure));
}

#[tokio::test]
async fn pins_are_asked_for_by_label_and_place_and_taken_away() {
    let house = House::open().await;
    let client = house.client();
    assert_eq!(client.pins(None, None).await, Ok(vec![pin()]));
    let place = ("job/é?&=".to_string(), root());
    assert_eq!(client.pins(Some("a b".into()), Some(place.clone())).await, Ok(vec![pin()]));
    client.unpin("a/b&c=d".into(), root()).await.unwrap();
    let kept = house.node.kept.lock().unwrap();
    assert_eq!(kept.asked, [(None, None), (Some("a b".into()), Some(place))]);
    assert_eq!(kept.unpinned, [("a/b&c=d".into(), root())]);
}

#[tokio::test]
async fn a_place_between_pins_needs_label_and_root() {
    let house = House::open().await;
    let asked = request("GET", &format!("{}?after_label=x", path::PINS_PATH), b"");
    assert_fails(&raw(house.addr(), &asked).await, 400, Code::Malformed);
}

#[tokio::test]
async fn chores_tell_how_they_go_on_and_that_they_were_cut() {
    let house = House::open().await;
    let client = house.client();
    assert_eq!(client.stock().await, Ok(stock()));
    assert_eq!(client.whereabouts(root()).await, Ok(vec![whereabouts(root())]));
    let told: Vec<_> = client.chore(Chore::Repair).await.unwrap().collect().await;
    assert_eq!(told, [Ok(going()), Ok(done())]);
    let told: Vec<_> = client.chore(Chore::Verify).await.unwrap().collect().await;
    assert_eq!(told[0], Ok(going()));
    assert_eq!(told[1].as_ref().unwrap_err().code, Code::Cut);
    let asked = [
        Chore::Collect { dry_run: true, grace_ms: Some(5) },
        Chore::Pin { root: root(), mode: PinMode::Direct, name: None, from: Vec::new() },
        Chore::Fetch { root: root(), mode: PinMode::Recursive, from: vec!["/x/p2p/y".into()] },
        Chore::Protect { root: root(), durability: "x3".parse().unwrap() },
    ];
    for chore in asked.clone() {
        let told: Vec<_> = client.chore(chore).await.unwrap().collect().await;
        assert_eq!(told, [Err(ApiError::new(Code::Busy, "another one").next("wait"))]);
    }
    assert_eq!(house.node.kept.lock().unwrap().chores[2..], asked);
}
