//! `polity storage status`.

use super::super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    out,
    text::{self, number, plural, size},
};
use api::{Stock, StorageApi};

pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let stock = node.stock().await?;
    context.out.data(&stock, || shown(&stock))?;
    Ok(Exit::Success)
}

fn shown(stock: &Stock) -> String {
    let blocks = format!("{}, {}", plural(stock.blobs as usize, "block"), size(stock.bytes));
    let quota = match stock.quota_bytes {
        0 => "none".to_string(),
        quota => format!("{}, {} left", size(quota), size(quota.saturating_sub(stock.bytes))),
    };
    let damaged = match stock.damaged {
        0 => "nothing".to_string(),
        damaged => {
            let blocks = plural(damaged as usize, "block");
            format!("{blocks}; fetch them again with: polity storage repair")
        }
    };
    out::fields(&[
        ("kept", blocks),
        ("pins", number(stock.pins)),
        (
            "on disk",
            format!(
                "{} in {}, {} of index",
                size(stock.pack_bytes),
                plural(stock.packs as usize, "pack"),
                size(stock.index_bytes)
            ),
        ),
        (
            "free",
            format!(
                "{}, of which {} are for journals",
                size(stock.free_bytes),
                size(stock.reserve_bytes)
            ),
        ),
        ("quota", quota),
        ("damaged", damaged),
        ("looked at", stock.scrubbed.map_or("not all of it yet".into(), text::moment)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Time;

    #[test]
    fn it_says_what_to_do_about_damage_and_how_much_room_is_left() {
        let stock = Stock { blobs: 1, bytes: 3 << 20, quota_bytes: 4 << 20, ..Stock::default() };
        let text = shown(&stock);
        assert!(
            text.contains("1 block, 3.0 MiB") && text.contains("4.0 MiB, 1.0 MiB left"),
            "{text}"
        );
        assert!(text.contains("nothing") && text.contains("not all of it yet"), "{text}");
        let stock = Stock { damaged: 2, scrubbed: Some(Time(0)), ..Stock::default() };
        let text = shown(&stock);
        assert!(
            text.contains("2 blocks; fetch them again") && text.contains("1970-01-01"),
            "{text}"
        );
    }
}
