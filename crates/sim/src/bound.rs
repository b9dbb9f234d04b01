//! What lying gains at most: the bound on a patient liar, and on owners that one owner invents.
//!
//! All of it is arithmetic on what the genesis fixes; `tests/bound.rs` compares it with the real
//! draw. Words: `m` parties can be drawn, `c` of them collude, `k` replicas must agree. Colluders
//! lie about a task only if all of its replicas are theirs, and then all claim the same: nobody who
//! ran the task disagrees, and only an audit can find it. (With one honest replica there is a
//! dispute, and the lie is refuted for certain: see "When outcomes differ" in ARCHITECTURE.)

/// A liar's world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Game {
    /// Parties that can be drawn.
    pub parties: u32,
    /// How many of them collude.
    pub colluding: u32,
    /// Replicas that must agree.
    pub k: u32,
    /// The home is one of them and gives the first replica to another one: only the further `k - 1`
    /// are drawn, from the other parties.
    pub home: bool,
    /// Of the tasks of which they have every replica, the share that they lie about.
    pub rate: f64,
    /// Of all final tasks, the share that is audited.
    pub audited: f64,
    /// Owners that audit a task.
    pub auditors: u32,
    /// Tasks that become final in an hour.
    pub tasks_per_hour: f64,
    /// How long a sanction lasts, in hours.
    pub sanction_hours: f64,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// The probability that a task has colluding replicas only.
    pub captured: f64,
    /// The probability that one lie is found.
    pub found: f64,
    /// Wrong final tasks before the first sanction, on average. Infinite without audits.
    pub before_sanction: f64,
    /// Of all final tasks the share that is wrong, in the long run.
    pub wrong_share: f64,
}

/// The probability that `k` of `m` parties, drawn without repetition, are all among `c` of them.
pub fn all_colluding(m: u32, c: u32, k: u32) -> f64 {
    if k > c || k > m {
        return 0.0;
    }
    (0..k).map(|i| f64::from(c - i) / f64::from(m - i)).product()
}

/// The probability that `k` replicas are all of colluders: all drawn, or, where the home colludes,
/// all but the first.
fn captured(home: bool, m: u32, c: u32, k: u32) -> f64 {
    if home && c > 0 && m > 0 && k > 0 {
        return all_colluding(m - 1, c - 1, k - 1);
    }
    all_colluding(m, c, k)
}

/// The probability that one lie is found: it is picked for an audit, and not all auditors collude.
/// Auditors are drawn from the parties that did not run the task; `c - k` of them collude. With
/// nobody to draw there is no audit. One honest auditor is enough, as it opens a dispute.
pub fn found(game: &Game) -> f64 {
    let (m, c) = (game.parties.saturating_sub(game.k), game.colluding.saturating_sub(game.k));
    let drawn = game.auditors.min(m);
    if drawn == 0 { 0.0 } else { game.audited * (1.0 - all_colluding(m, c, drawn)) }
}

/// What a patient liar gains.
///
/// A lie that is found sanctions the `k` owners that told it; until they are back the others have
/// `k` colluding parties fewer. The share counts the worst case for everybody else: that they go on
/// as before the moment they are back, every sanction as short as the first.
pub fn gain(game: &Game) -> Gain {
    let captured = captured(game.home, game.parties, game.colluding, game.k);
    let found = found(game);
    let before_sanction = if found > 0.0 { 1.0 / found } else { f64::INFINITY };
    let free = captured * game.rate;
    let fewer = |n: u32| n.saturating_sub(game.k);
    let (parties, colluding) = (fewer(game.parties), fewer(game.colluding));
    let barred = self::captured(game.home, parties, colluding, game.k) * game.rate;
    let lies_per_hour = free * game.tasks_per_hour;
    let wrong_share = if lies_per_hour == 0.0 || found == 0.0 {
        free
    } else {
        // One round: free until a lie is found, barred after it.
        let free_hours = before_sanction / lies_per_hour;
        let hours = free_hours + game.sanction_hours;
        (free * free_hours + barred * game.sanction_hours) / hours
    };
    Gain { captured, found, before_sanction, wrong_share }
}

/// How many parties `s` owners can become, if each sponsors as many owners as it likes and all of
/// them vouch for each other. Owners that one owner sponsored count as that owner until somebody of
/// another party vouches: with one owner alone nobody ever does. With two, each vouches for whom
/// the other one sponsored, and there is no bound but the number of admissions on the ledger.
pub fn sybil_parties(colluding_sponsors: u32, admissions: u32) -> u32 {
    match colluding_sponsors {
        0 => 0,
        1 => 1,
        sponsors => sponsors.saturating_add(admissions),
    }
}

/// The table that goes into the documentation.
pub fn table() -> String {
    let mut text = String::from(
        "   m  c  k  home  rate  audited  auditors   captured  lies before     wrong in\n\
         \x20                                                    a sanction  the long run\n",
    );
    let base = Game {
        parties: 10,
        colluding: 3,
        k: 2,
        home: false,
        rate: 1.0,
        audited: 0.02,
        auditors: 2,
        tasks_per_hour: 1_000.0,
        sanction_hours: 24.0,
    };
    let games = [
        Game { colluding: 1, ..base },
        Game { colluding: 2, ..base },
        base,
        Game { rate: 0.1, ..base },
        Game { colluding: 5, ..base },
        Game { k: 3, ..base },
        Game { home: true, ..base },
        Game { k: 3, home: true, ..base },
        Game { audited: 0.1, ..base },
        Game { audited: 0.0, ..base },
        Game { k: 1, colluding: 1, ..base },
        Game { parties: 30, colluding: 5, ..base },
    ];
    for game in games {
        let Gain { captured, before_sanction, wrong_share, .. } = gain(&game);
        let Game { parties, colluding, k, rate, audited, auditors, .. } = game;
        let home = if game.home { "yes" } else { "no" };
        text += &format!(
            "{parties:>4} {colluding:>2} {k:>2} {home:>5} {rate:>5.2} {audited:>8.3} {auditors:>9} \
             {captured:>10.5} {before_sanction:>12.1} {wrong_share:>13.7}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAME: Game = Game {
        parties: 6,
        colluding: 3,
        k: 2,
        home: false,
        rate: 1.0,
        audited: 0.5,
        auditors: 1,
        tasks_per_hour: 100.0,
        sanction_hours: 10.0,
    };

    #[test]
    fn one_colluder_alone_captures_nothing_of_two() {
        assert_eq!(all_colluding(10, 1, 2), 0.0);
        assert_eq!(gain(&Game { colluding: 1, ..GAME }).wrong_share, 0.0);
    }

    #[test]
    fn small_cases_by_hand() {
        // 3 of 15 pairs.
        assert!((all_colluding(6, 3, 2) - 0.2).abs() < 1e-12);
        // Half are audited, by one of the other four, of whom one colludes.
        assert!((found(&GAME) - 0.375).abs() < 1e-12);
        let gain = gain(&GAME);
        assert!((gain.before_sanction - 8.0 / 3.0).abs() < 1e-12);
        // 20 lies an hour: 0.1333 hours free, then ten without.
        let free_hours = 8.0 / 3.0 / 20.0;
        assert!((gain.wrong_share - 0.2 * free_hours / (free_hours + 10.0)).abs() < 1e-12);
    }

    #[test]
    fn a_home_that_chooses_the_first_must_have_the_others_drawn() {
        let game = Game { home: true, ..GAME };
        // Two of the other five collude.
        assert!((gain(&game).captured - 0.4).abs() < 1e-12);
        let alone = Game { colluding: 1, ..game };
        assert_eq!(gain(&alone).captured, 0.0, "one drawn honest node is enough");
        assert_eq!(gain(&Game { k: 1, ..alone }).captured, 1.0, "of one replica nothing is drawn");
        assert_eq!(gain(&Game { k: 1, ..alone }).found, GAME.audited, "an audit finds it");
    }

    #[test]
    fn who_lies_less_is_wrong_less_often_and_lies_as_often_before_it_is_found() {
        let (all, some) = (gain(&GAME), gain(&Game { rate: 0.1, ..GAME }));
        assert!(some.wrong_share < all.wrong_share);
        assert_eq!(some.before_sanction, all.before_sanction);
    }

    #[test]
    fn without_audits_or_auditors_nothing_is_found() {
        for game in [Game { audited: 0.0, ..GAME }, Game { parties: 2, colluding: 2, ..GAME }] {
            assert_eq!(gain(&game).before_sanction, f64::INFINITY);
        }
        let alone = gain(&Game { parties: 2, colluding: 2, ..GAME });
        assert_eq!(alone.wrong_share, 1.0, "two owners who collude, and nobody else");
    }

    #[test]
    fn one_sponsor_is_one_party_however_many_it_invites() {
        assert_eq!(sybil_parties(1, 1_000), 1);
        assert_eq!(sybil_parties(2, 1_000), 1_002);
    }
}
