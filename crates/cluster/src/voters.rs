//! Who votes: few enough that every decision is quick, spread so that no one failure takes a
//! majority.

use identity::PublicKey;
use std::collections::{BTreeMap, BTreeSet};

/// A member as it is weighed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) key: PublicKey,
    pub(crate) votes: bool,
    /// It answers, and has nearly everything that the leader has.
    pub(crate) ready: bool,
    /// Its owner wants it gone, or has taken it out of service.
    pub(crate) leaving: bool,
    pub(crate) labels: BTreeMap<String, String>,
}

/// How many vote among so many that could: the largest of 1, 3, 5, 7 that there are, at most
/// `most`.
pub(crate) fn seats(members: usize, most: usize) -> usize {
    let fitting = members.min(most).max(1);
    fitting - (1 - fitting % 2)
}

/// Who should vote. Those who vote already are preferred, so that nothing changes without reason; a
/// voter that does not answer gives its seat to a member that does once it is not `patient` with it
/// any more. Labels named in `domains`, the widest first, say what fails together.
pub(crate) fn choose(
    candidates: &[Candidate],
    me: PublicKey,
    (most, domains): (usize, &[String]),
    patient: impl Fn(&PublicKey) -> bool,
) -> BTreeSet<PublicKey> {
    let staying: Vec<_> = candidates.iter().filter(|candidate| !candidate.leaving).collect();
    let may =
        |candidate: &&&Candidate| candidate.ready || (candidate.votes && patient(&candidate.key));
    let fit: Vec<_> = staying.iter().filter(may).copied().collect();
    let wanted = seats(fit.len(), most);
    let mut chosen: Vec<&Candidate> = Vec::new();
    // Who leads decides this, and goes on leading.
    chosen.extend(fit.iter().find(|candidate| candidate.key == me));
    while chosen.len() < wanted {
        let rest = fit.iter().filter(|one| !chosen.iter().any(|other| other.key == one.key));
        let best = rest.min_by_key(|candidate| {
            (crowding(candidate, &chosen, domains), !candidate.votes, candidate.key)
        });
        let Some(best) = best else { break };
        chosen.push(best);
    }
    chosen.into_iter().map(|candidate| candidate.key).collect()
}

/// How many of the chosen share each domain with a candidate, the widest domain first.
fn crowding(candidate: &Candidate, chosen: &[&Candidate], domains: &[String]) -> Vec<usize> {
    let sharing = |domain: &String| {
        let Some(mine) = candidate.labels.get(domain) else { return 0 };
        chosen.iter().filter(|other| other.labels.get(domain) == Some(mine)).count()
    };
    domains.iter().map(sharing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    fn member(n: u8, zone: &str) -> Candidate {
        let labels = BTreeMap::from([("zone".to_string(), zone.to_string())]);
        Candidate { key: key(n), votes: false, ready: true, leaving: false, labels }
    }

    fn chosen(candidates: &[Candidate], most: usize) -> Vec<u8> {
        let domains = ["zone".to_string()];
        let all = choose(candidates, key(1), (most, &domains), |_| false);
        all.iter().map(|key| key.0[0]).collect()
    }

    #[test]
    fn an_odd_number_votes() {
        let counts = [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5), (6, 5), (7, 7), (1_000, 7)];
        for (members, voting) in counts {
            assert_eq!(seats(members, 7), voting, "{members} members");
        }
        assert_eq!(seats(9, 3), 3);
    }

    #[test]
    fn voters_are_spread_over_domains() {
        let all = [member(1, "a"), member(2, "a"), member(3, "a"), member(4, "b"), member(5, "c")];
        assert_eq!(chosen(&all, 3), [1, 4, 5]);
    }

    #[test]
    fn who_votes_keeps_its_seat_while_nothing_is_gained_by_a_change() {
        let mut all: Vec<_> = (1..=5).map(|n| member(n, "a")).collect();
        all[3].votes = true;
        all[4].votes = true;
        assert_eq!(chosen(&all, 3), [1, 4, 5]);
    }

    #[test]
    fn who_is_away_keeps_its_seat_for_a_while_only() {
        let mut all: Vec<_> = (1..=4).map(|n| member(n, "a")).collect();
        for voter in &mut all[..3] {
            voter.votes = true;
        }
        all[1].ready = false;
        let with = |patient: bool| choose(&all, key(1), (3, &[]), |_| patient);
        assert_eq!(with(true), BTreeSet::from([key(1), key(2), key(3)]));
        assert_eq!(with(false), BTreeSet::from([key(1), key(3), key(4)]));
    }

    #[test]
    fn who_leaves_does_not_vote() {
        let mut all: Vec<_> = (1..=4).map(|n| member(n, "a")).collect();
        all[0].leaving = true;
        assert_eq!(chosen(&all, 3), [2, 3, 4]);
    }
}
