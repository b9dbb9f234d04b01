//! The promises of a data directory.

use super::*;
use identity::{NetworkId, Signed};
use protocol::{Founder, Params, Time};

fn fresh() -> (tempfile::TempDir, DataDir) {
    let dir = tempfile::tempdir().unwrap();
    let data = DataDir::at(dir.path().join("data"));
    (dir, data)
}

fn genesis(name: &str) -> Genesis {
    let key = SecretKey::from_seed([8; 32]);
    let founder = Founder {
        node: SecretKey::from_seed([9; 32]).public(),
        name: "lab".into(),
        addresses: Vec::new(),
    };
    let founder = Signed::new(founder, NetworkId::FOUNDING, &key);
    Genesis::found(name.into(), Time(5), vec![founder], 1, Params::default()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_key_is_made_once_and_never_changes() {
    let (_dir, data) = fresh();
    assert!(data.owner_key().unwrap().is_none());
    let key = data.owner_key_or_new([1; 32]).unwrap();
    assert_eq!(data.owner_key_or_new([2; 32]).unwrap().public(), key.public());
    assert_eq!(data.owner_key().unwrap().unwrap().seed(), key.seed());
    let node = data.node_key_or_new([3; 32]).unwrap();
    assert_ne!(node.public(), key.public());
    assert_eq!(mode(&data.root().join("owner.key")), 0o600);
    assert_eq!(mode(data.root()), 0o700);
    let names: Vec<_> = fs::read_dir(data.root()).unwrap().collect();
    assert_eq!(names.len(), 2, "no drafts are left: {names:?}");
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_way_out() {
    let (_dir, data) = fresh();
    data.owner_key_or_new([1; 32]).unwrap();
    let path = data.root().join("owner.key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = data.owner_key_or_new([1; 32]).unwrap_err();
    assert!(matches!(error, Error::Exposed { mode: 0o640, .. }), "{error}");
    assert!(error.advice().unwrap().contains("chmod 600"));
}

#[test]
fn a_damaged_key_or_one_of_another_kind_is_refused_and_left_alone() {
    let (_dir, data) = fresh();
    data.owner_key_or_new([1; 32]).unwrap();
    let path = data.root().join("owner.key");
    let good = fs::read_to_string(&path).unwrap();
    let other = SecretKey::from_seed([5; 32]).public().to_string();
    let public = SecretKey::from_seed([1; 32]).public().to_string();
    let wrong = [
        String::new(),
        good.replace("owner key 1", "node key 1"),
        good.replace("key 1", "key 2"),
        good.replace(&public, &other),
        good[..good.len() - 10].to_string(),
        format!("{good}more\n"),
    ];
    for text in wrong {
        fs::write(&path, &text).unwrap();
        let error = data.owner_key_or_new([2; 32]).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_directory_belongs_to_one_network() {
    let (_dir, data) = fresh();
    assert!(data.genesis().unwrap().is_none());
    data.keep_genesis(&genesis("one")).unwrap();
    data.keep_genesis(&genesis("one")).unwrap();
    let error = data.keep_genesis(&genesis("two")).unwrap_err();
    assert!(matches!(error, Error::OtherNetwork { .. }), "{error}");
    assert_eq!(data.genesis().unwrap(), Some(genesis("one")));
    fs::write(data.root().join("genesis.polity"), b"no").unwrap();
    assert!(data.genesis().is_err());
}

#[test]
fn the_place_of_the_api_comes_and_goes_and_its_token_is_private() {
    let (_dir, data) = fresh();
    data.create().unwrap();
    assert!(data.api().unwrap().is_none());
    let addr = "127.0.0.1:4000".parse().unwrap();
    data.set_api(addr, "one").unwrap();
    data.set_api(addr, "two").unwrap();
    let place = data.api().unwrap().unwrap();
    assert_eq!((place.addr, place.token.as_str()), (addr, "two"));
    let path = data.root().join("api.token");
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(data.api(), Err(Error::Exposed { .. })));
    data.remove_api().unwrap();
    data.remove_api().unwrap();
    assert!(data.api().unwrap().is_none());
}

#[test]
fn settings_are_kept_and_unknown_ones_refused() {
    let (_dir, data) = fresh();
    assert_eq!(data.settings().unwrap(), Settings::default());
    let settings =
        Settings { listen: vec!["/ip4/0.0.0.0/udp/1/quic-v1".into()], ..Default::default() };
    data.set_settings(&settings).unwrap();
    assert_eq!(data.settings().unwrap(), settings);
    fs::write(data.root().join("settings.json"), b"{\"lisen\":[]}").unwrap();
    assert!(matches!(data.settings(), Err(Error::Malformed { .. })));
}
