//! No bytes from outside make a decoder panic: random ones, and good ones with random damage.

mod list;
mod mutate;
mod specimens;

use list::DECODERS;
use mutate::Random;
use specimens::specimen;

/// Damaged inputs per decoder.
const ROUNDS: u64 = 1_500;

#[test]
fn every_decoder_takes_its_specimen() {
    for (name, decoder) in DECODERS {
        assert!(decoder(&specimen(name)), "{name}");
    }
}

#[test]
fn nothing_at_all_and_no_random_bytes_make_a_decoder_panic() {
    for (name, decoder) in DECODERS {
        let mut random = Random::of(name);
        decoder(&[]);
        for _ in 0..ROUNDS {
            let length = random.below(200);
            decoder(&random.bytes(length));
        }
    }
}

#[test]
fn no_damage_to_a_good_input_makes_a_decoder_panic() {
    let all: Vec<_> = DECODERS.iter().map(|(name, _)| specimen(name)).collect();
    for ((name, decoder), good) in DECODERS.iter().zip(&all) {
        let mut random = Random::of(name);
        for round in 0..ROUNDS {
            let mut bytes = good.clone();
            for _ in 0..=round % 4 {
                random.damage(&mut bytes, &all);
            }
            decoder(&bytes);
        }
    }
}

#[test]
fn an_input_that_is_cut_anywhere_is_refused() {
    // Frames and lines of text may well end early.
    let whole = |name: &str| !matches!(name, "frame" | "text" | "car" | "car_v2");
    for (name, decoder) in DECODERS.iter().filter(|(name, _)| whole(name)) {
        let good = specimen(name);
        for length in 0..good.len() {
            assert!(!decoder(&good[..length]), "{name} cut after {length} bytes");
        }
    }
}

#[test]
fn no_flipped_bit_of_a_receipt_verifies_even_under_a_right_checksum() {
    let (_, verifies) =
        DECODERS.iter().find(|(name, _)| *name == "receipt_content").expect("it is listed");
    let mut bytes = specimen("receipt_content");
    // One bit in seven bytes, each bit in turn: all of them would take minutes.
    for at in (0..bytes.len()).step_by(7) {
        let bit = 1 << (at % 8);
        bytes[at] ^= bit;
        assert!(!verifies(&bytes), "byte {at}, bit {bit}");
        bytes[at] ^= bit;
    }
}

#[test]
fn lengths_that_lie_are_refused_before_memory_is_taken() {
    // DAG-CBOR heads that promise up to 2⁶⁴ bytes, characters, items or pairs.
    let heads = [0x5b_u8, 0x7b, 0x9b, 0xbb].map(|head| [&[head][..], &[0xff; 8]].concat());
    let frames = [vec![0xff; 4], vec![0xff; 10]];
    for (name, decoder) in DECODERS {
        for lie in heads.iter().chain(&frames) {
            assert!(!decoder(lie), "{name}: {lie:x?}");
        }
        assert!(!decoder(&[0x81; 100_000]), "{name}: 100,000 arrays in each other");
    }
}
