//! What is told of the queue, and of how nodes stand towards a job.

use api::{Cap, Factors, Misfit, NodeLoad, Place, Placing, Totals};
use protocol::{JobId, TaskIndex};
use work::{NodeView, Passed, PlacementView, QueueView, Score, TaskStatus, Unfit, Weights, Work};

/// Where a live job stands, looked at by the first of these tasks that has not ended.
pub(super) fn of(work: &Work, job: &JobId, mut tasks: impl Iterator<Item = TaskIndex>) -> Placing {
    let (Some(record), Some(queue)) = (work.job(job), work.position(job)) else {
        return Placing::default();
    };
    let open = |task: &TaskIndex| {
        let status = record.status(*task);
        matches!(status, Some(TaskStatus::Waiting | TaskStatus::Running { .. }))
    };
    let place = tasks.find(open).and_then(|task| work.placement(job, task));
    let waits = record.progress().waiting > 0;
    let QueueView { jobs_before, wait_ms, capped, quota, usage, .. } = queue;
    let mut placing = Placing {
        ahead: waits.then(|| u32::try_from(jobs_before).unwrap_or(u32::MAX)),
        capped: capped.then(|| Cap { replicas: usage.replicas, allowed: quota.replicas.into() }),
        wait_ms: wait_ms.filter(|_| waits),
        ..Placing::default()
    };
    if let Some(PlacementView { scored, weights, first, nodes, passed, .. }) = place {
        let fit = nodes.into_iter().map(|scored| Place {
            node: scored.node,
            factors: Some(factors(&scored.score)),
            score: Some(scored.score.total),
            misfit: None,
        });
        let passed = passed.into_iter().map(|(node, why)| Place {
            node,
            factors: None,
            score: None,
            misfit: Some(misfit(why)),
        });
        placing.weights = scored.then(|| counts(&weights));
        placing.first = first;
        placing.nodes = fit.chain(passed).collect();
    }
    placing
}

fn factors(score: &Score) -> Factors {
    let Score { speed, load, history, latency, locality, price, .. } = *score;
    Factors { speed, load, history, latency, locality, price }
}

fn counts(weights: &Weights) -> Factors {
    let Weights { speed, load, history, latency, locality, price } = *weights;
    Factors { speed, load, history, latency, locality, price }
}

fn misfit(why: Passed) -> Misfit {
    match why {
        Passed::Skipped(reason) => Misfit::Skipped { reason },
        Passed::Offline => Misfit::Offline,
        Passed::Returning => Misfit::Returning,
        Passed::Silent => Misfit::Silent,
        Passed::Full => Misfit::Busy,
        Passed::Unfit(why) => match why {
            Unfit::NotDrawn => Misfit::NotDrawn,
            Unfit::Barred => Misfit::Barred,
            Unfit::Accused => Misfit::Accused,
            Unfit::Cordoned(reason) => Misfit::Cordoned { reason },
            Unfit::Window => Misfit::Window,
            Unfit::Unknown => Misfit::Unknown,
            Unfit::Label(name) => Misfit::Label { name },
            Unfit::Arch => Misfit::Arch,
            Unfit::Cpus => Misfit::Cpus,
            Unfit::Memory => Misfit::Memory,
            Unfit::Gpus => Misfit::Gpus,
            Unfit::Disk => Misfit::Disk,
            Unfit::Owner => Misfit::Owner,
            Unfit::Node => Misfit::Node,
            Unfit::Far => Misfit::Far,
            Unfit::Class => Misfit::Class,
        },
    }
}

/// What a node does for this home.
pub(super) fn load(view: &NodeView) -> NodeLoad {
    NodeLoad {
        used: view.slots_used,
        slots: view.slots,
        waiting: u32::try_from(view.waiting).unwrap_or(u32::MAX),
        fuel_ms: view.fuel_ms,
        history: view.history,
        cordon: view.cordon.clone(),
        windows: view.windows.iter().map(|window| (window.from, window.until)).collect(),
    }
}

/// How much there is of everything.
pub(super) fn totals(work: &Work) -> Totals {
    let totals = work.totals();
    Totals {
        jobs: totals.jobs as u64,
        paused: totals.paused as u64,
        queued: totals.queued_by_priority,
        running: totals.running,
        agreed: totals.agreed,
    }
}
