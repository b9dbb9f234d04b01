//! What a run is about, and what goes wrong in it.

use super::Random;
use protocol::Verification;

/// How a node behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nature {
    /// How many times longer than others it runs.
    pub slowness: u64,
    /// When it first connects to the home, in milliseconds; 0 is before the job is submitted.
    pub late_ms: u64,
    /// It gives outcomes of its own.
    pub lies: bool,
    /// When it crashes, and for how long it is gone, in milliseconds.
    pub crash: Option<(u64, u64)>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Delays and losses follow from it.
    pub seed: u64,
    /// One for each node, and each node has its own owner. The first is the home of the job and
    /// submits it; the first four are validators. At least four.
    pub natures: Vec<Nature>,
    /// Tasks of the job.
    pub tasks: u32,
    /// How many must agree.
    pub verification: Verification,
    /// Messages between home and worker that are lost although both are there.
    pub loss_percent: u64,
    /// Submit, and let this time pass before the job is taken back.
    pub cancel_ms: Option<u64>,
}

impl Setting {
    /// Five nodes, three tasks, two of three must agree; nothing goes wrong.
    pub fn calm(seed: u64) -> Self {
        Self {
            seed,
            natures: vec![Nature { slowness: 1, ..Nature::default() }; 5],
            tasks: 3,
            verification: Verification { k: 2, n: 3 },
            loss_percent: 0,
            cancel_ms: None,
        }
    }

    /// Up to eight nodes, slow ones, crashes (also of the home), a liar at times, lost messages. One
    /// validator is gone at a time, at most.
    pub fn rough(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x0072_6f75_6768);
        let nodes = random.between(4, 8);
        let mut natures = Vec::new();
        for node in 0..nodes {
            let slowness = if random.chance(25) { random.between(5, 60) } else { 1 };
            let lies = node > 0 && random.chance(8);
            // The others wait until the validator before them is back.
            let slot = if node < 4 { node * 3_000 } else { 0 };
            let crash = random
                .chance(35)
                .then(|| (slot + random.between(1, 600), random.between(50, 2_300)));
            let late_ms = if random.chance(20) { random.between(100, 3_000) } else { 0 };
            natures.push(Nature { slowness, late_ms, lies, crash });
        }
        let k = random.between(1, 3) as u16;
        let n = k + random.between(0, 2) as u16;
        Self {
            seed,
            natures,
            tasks: random.between(1, 16) as u32,
            verification: Verification { k, n },
            loss_percent: if random.chance(50) { random.between(1, 15) } else { 0 },
            cancel_ms: random.chance(5).then(|| random.between(1, 400)),
        }
    }

    /// Whether nothing can keep a task from being agreed on.
    pub fn is_honest(&self) -> bool {
        self.cancel_ms.is_none() && self.natures.iter().all(|nature| !nature.lies)
    }
}
