//! Networks that fall apart and heal.

use super::world::simulate;
use std::time::Duration;

#[test]
fn a_partition_into_halves_makes_nothing_final_and_heals() {
    for seed in 0..4 {
        simulate(seed, |world| async move {
            let digest = world.seats[0].submit(1);
            world.all_have(digest).await;
            world.link(|i, j| i / 2 == j / 2).await;
            world.rest(Duration::from_secs(1)).await;
            let before = world.heights();
            let waiting = [world.seats[0].submit(2), world.seats[3].submit(3)];
            world.rest(Duration::from_secs(120)).await;
            assert_eq!(world.heights(), before, "seed {seed}");
            world.link(|_, _| true).await;
            for digest in waiting {
                world.all_have(digest).await;
            }
            world
        });
    }
}
