//! The same seed gives the same run.

use super::world::simulate;

#[test]
fn one_seed_is_one_run() {
    let run = |seed| {
        simulate(seed, |world| async move {
            for number in 0..12 {
                let digest = world.seats[number as usize % 4].submit(number);
                world.all_have(digest).await;
            }
            world
        })
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
