//! A lattice of spins, flipped cluster by cluster (Wolff, Physical Review Letters 62, 1989).

use crate::random::Random;

/// Batches over which errors are estimated.
const BATCHES: usize = 20;

/// A mean and its standard error.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error, from the spread of batch means.
    pub error: f64,
}

/// What one run measured, per spin.
#[derive(Debug)]
pub struct Measured {
    /// Energy, in units of the coupling.
    pub energy: Estimate,
    /// Absolute magnetisation.
    pub magnetisation: Estimate,
}

/// Spins of ±1 on a square, periodic at its edges.
pub struct Lattice {
    size: usize,
    spins: Vec<i8>,
    /// Chance that a neighbour of equal spin joins the cluster.
    join: f64,
    stack: Vec<usize>,
}

impl Lattice {
    /// All spins up. `temperature` is in units of the coupling.
    pub fn new(size: usize, temperature: f64) -> Self {
        Self {
            size,
            spins: vec![1; size * size],
            join: 1.0 - (-2.0 / temperature).exp(),
            stack: Vec::new(),
        }
    }

    /// Flips a fifth of `clusters` to forget the start, then as many as asked, measuring after each.
    pub fn run(&mut self, clusters: u32, random: &mut Random) -> Measured {
        for _ in 0..clusters / 5 + 100 {
            self.flip_cluster(random);
        }
        // What one cluster does to a large, disordered lattice is little: flip several between two
        // measurements. Their number is fixed beforehand, or it would bias the mean.
        let trial: usize = (0..100).map(|_| self.flip_cluster(random)).sum();
        let between = (self.spins.len() * 100).div_ceil(trial).clamp(1, 200);
        let mut energies = Vec::with_capacity(clusters as usize);
        let mut magnetisations = Vec::with_capacity(clusters as usize);
        for _ in 0..clusters {
            for _ in 0..between {
                self.flip_cluster(random);
            }
            energies.push(self.energy());
            magnetisations.push(self.magnetisation());
        }
        Measured { energy: estimate(&energies), magnetisation: estimate(&magnetisations) }
    }

    /// Grows and flips one cluster; gives back how many spins it had.
    fn flip_cluster(&mut self, random: &mut Random) -> usize {
        let start = random.below(self.spins.len());
        let spin = self.spins[start];
        self.spins[start] = -spin;
        self.stack.push(start);
        let mut flipped = 1;
        while let Some(site) = self.stack.pop() {
            for neighbour in self.neighbours(site) {
                if self.spins[neighbour] == spin && random.unit() < self.join {
                    self.spins[neighbour] = -spin;
                    self.stack.push(neighbour);
                    flipped += 1;
                }
            }
        }
        flipped
    }

    fn neighbours(&self, site: usize) -> [usize; 4] {
        let (row, column, last) = (site / self.size, site % self.size, self.size - 1);
        let up = if row == 0 { last } else { row - 1 };
        let down = if row == last { 0 } else { row + 1 };
        let left = if column == 0 { last } else { column - 1 };
        let right = if column == last { 0 } else { column + 1 };
        [
            up * self.size + column,
            down * self.size + column,
            row * self.size + left,
            row * self.size + right,
        ]
    }

    fn energy(&self) -> f64 {
        let bonds: i64 = (0..self.spins.len())
            .map(|site| {
                let [_, down, _, right] = self.neighbours(site);
                let around = i64::from(self.spins[down]) + i64::from(self.spins[right]);
                i64::from(self.spins[site]) * around
            })
            .sum();
        -bonds as f64 / self.spins.len() as f64
    }

    fn magnetisation(&self) -> f64 {
        let sum: i64 = self.spins.iter().map(|spin| i64::from(*spin)).sum();
        sum.abs() as f64 / self.spins.len() as f64
    }
}

fn estimate(values: &[f64]) -> Estimate {
    let mean_of = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
    let mean = mean_of(values);
    let batches: Vec<f64> = values.chunks_exact(values.len() / BATCHES).map(mean_of).collect();
    let count = batches.len() as f64;
    let spread: f64 = batches.iter().map(|batch| (batch - mean).powi(2)).sum();
    Estimate { mean, error: (spread / (count * (count - 1.0))).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact;

    #[test]
    fn away_from_the_critical_point_the_exact_solution_comes_out() {
        for temperature in [1.8, 3.5] {
            let mut lattice = Lattice::new(32, temperature);
            let measured = lattice.run(2_000, &mut Random::new([1; 32]));
            let expected = exact::energy(temperature);
            assert!(
                (measured.energy.mean - expected).abs() < 4.0 * measured.energy.error + 1e-3,
                "{measured:?} is not {expected}"
            );
        }
    }

    #[test]
    fn small_lattices_agree_with_counting_all_their_states() {
        // 4 × 4 spins have 65,536 states: the Boltzmann sum gives the mean energy exactly.
        let temperature = 2.5;
        let mut lattice = Lattice::new(4, temperature);
        let (mut weights, mut energies) = (0.0, 0.0);
        for state in 0u32..1 << 16 {
            for (bit, spin) in lattice.spins.iter_mut().enumerate() {
                *spin = if state >> bit & 1 == 1 { 1 } else { -1 };
            }
            let energy = lattice.energy();
            let weight = (-16.0 * energy / temperature).exp();
            weights += weight;
            energies += weight * energy;
        }
        let measured = lattice.run(20_000, &mut Random::new([2; 32]));
        let expected = energies / weights;
        assert!(
            (measured.energy.mean - expected).abs() < 4.0 * measured.energy.error,
            "{measured:?} is not {expected}"
        );
    }

    #[test]
    fn one_seed_gives_one_result() {
        let run = |seed| Lattice::new(16, 2.269).run(200, &mut Random::new([seed; 32])).energy.mean;
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }
}
