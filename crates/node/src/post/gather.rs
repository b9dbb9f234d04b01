//! Messages that wait for one peer, as few as they can be: what a home tells a worker about one
//! job in three messages is said in one.

use super::{Mail, Queued};
use protocol::{TaskIndex, ToWorker};
use std::collections::BTreeSet;
use tokio::sync::oneshot;

/// Tasks of one message that was put together.
const TASKS: usize = 4096;
/// Batches of commitments in it.
const BATCHES: usize = 64;

/// A message, and who waits for its delivery.
pub(super) struct Item {
    mail: Mail,
    waiting: Waiting,
    tasks: BTreeSet<TaskIndex>,
}

/// Who waits for the delivery of a message.
pub(super) struct Waiting(Vec<oneshot::Sender<bool>>);

impl Waiting {
    /// Tells them.
    pub(super) fn tell(self, delivered: bool) {
        for waiting in self.0 {
            // Nobody waits for most messages.
            let _unheard = waiting.send(delivered);
        }
    }
}

impl Item {
    fn new(Queued { mail, delivered }: Queued) -> Self {
        let tasks = match &mail {
            Mail::Worker(message) => tasks_of(message),
            Mail::Home(_) => BTreeSet::new(),
        };
        Self { mail, waiting: Waiting(vec![delivered]), tasks }
    }

    pub(super) fn split(self) -> (Mail, Waiting) {
        (self.mail, self.waiting)
    }
}

/// Puts messages together. A message moves before others only if these are about other tasks.
pub(super) fn gather(queued: Vec<Queued>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::with_capacity(queued.len());
    for queued in queued {
        let item = Item::new(queued);
        if let Some(item) = join(&mut items, item) {
            items.push(item);
        }
    }
    items
}

/// Adds a message to the last one that it can be a part of; gives it back if there is none.
fn join(items: &mut [Item], item: Item) -> Option<Item> {
    let Item { mail: Mail::Worker(mut message), mut waiting, mut tasks } = item else {
        return Some(item);
    };
    for before in items.iter_mut().rev() {
        let Mail::Worker(other) = &mut before.mail else { continue };
        if job_of(other) != job_of(&message) {
            continue;
        }
        let fits = before.tasks.len() + tasks.len() <= TASKS;
        if fits && extend((other, &before.tasks), &mut message) {
            before.tasks.append(&mut tasks);
            before.waiting.0.append(&mut waiting.0);
            return None;
        }
        if !before.tasks.is_disjoint(&tasks) {
            break;
        }
    }
    Some(Item { mail: Mail::Worker(message), waiting, tasks })
}

/// Moves the content of `more` into a message of the same kind about these tasks; false if it
/// cannot be. What is said again is said once: a home that was started again repeats itself.
fn extend((message, about): (&mut ToWorker, &BTreeSet<TaskIndex>), more: &mut ToWorker) -> bool {
    match (message, more) {
        (
            ToWorker::Assign { order, drawn, replicas },
            ToWorker::Assign { order: same, drawn: then, replicas: further },
        ) if order == same && drawn == then => {
            further.retain(|replica| !(about.contains(&replica.0) && replicas.contains(replica)));
            replicas.append(further);
        }
        (
            ToWorker::Sets { sets, commits, .. },
            ToWorker::Sets { sets: further, commits: batches, .. },
        ) => {
            let is_new = |batch: &&protocol::CommitBatch| !commits.contains(batch);
            if commits.len() + batches.iter().filter(is_new).count() > BATCHES {
                return false;
            }
            further.retain(|set| !(about.contains(&set.0) && sets.contains(set)));
            for batch in batches.drain(..) {
                if !commits.contains(&batch) {
                    commits.push(batch);
                }
            }
            sets.append(further);
        }
        (ToWorker::Close { tasks, .. }, ToWorker::Close { tasks: further, .. }) => {
            further.retain(|task| !about.contains(task));
            tasks.append(further);
        }
        _ => return false,
    }
    true
}

fn job_of(message: &ToWorker) -> protocol::JobId {
    match message {
        ToWorker::Assign { order, .. } => order.payload.id(),
        ToWorker::Sets { job, .. } | ToWorker::Close { job, .. } => *job,
    }
}

fn tasks_of(message: &ToWorker) -> BTreeSet<TaskIndex> {
    match message {
        ToWorker::Assign { replicas, .. } => replicas.iter().map(|(task, _)| *task).collect(),
        ToWorker::Sets { sets, .. } => sets.iter().map(|(task, _)| *task).collect(),
        ToWorker::Close { tasks, .. } => tasks.iter().copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};
    use protocol::JobId;

    fn close(job: u8, tasks: &[u32]) -> Queued {
        let job = JobId(Cid::of(Codec::Raw, &[job]));
        let tasks = tasks.iter().copied().map(TaskIndex).collect();
        Queued {
            mail: Mail::Worker(Box::new(ToWorker::Close { job, tasks })),
            delivered: oneshot::channel().0,
        }
    }

    fn sets(job: u8, tasks: &[u32]) -> Queued {
        let job = JobId(Cid::of(Codec::Raw, &[job]));
        let sets = tasks.iter().map(|task| (TaskIndex(*task), Vec::new())).collect();
        let message = ToWorker::Sets { job, sets, commits: Vec::new() };
        Queued { mail: Mail::Worker(Box::new(message)), delivered: oneshot::channel().0 }
    }

    /// Kind and tasks of each message.
    fn shape(items: &[Item]) -> Vec<(char, Vec<u32>)> {
        let kind = |item: &Item| match &item.mail {
            Mail::Worker(message) => match **message {
                ToWorker::Assign { .. } => 'a',
                ToWorker::Sets { .. } => 's',
                ToWorker::Close { .. } => 'c',
            },
            Mail::Home(_) => 'h',
        };
        let tasks = |item: &Item| item.tasks.iter().map(|task| task.0).collect();
        items.iter().map(|item| (kind(item), tasks(item))).collect()
    }

    #[test]
    fn messages_of_one_kind_about_one_job_are_one() {
        let items = gather(vec![
            sets(1, &[1]),
            close(1, &[2]),
            sets(1, &[3]),
            close(2, &[1]),
            close(1, &[4, 5]),
        ]);
        assert_eq!(shape(&items), [('s', vec![1, 3]), ('c', vec![2, 4, 5]), ('c', vec![1])]);
        assert_eq!(items.iter().map(|item| item.waiting.0.len()).collect::<Vec<_>>(), [2, 2, 1]);
    }

    #[test]
    fn what_is_said_twice_is_said_once() {
        let items =
            gather(vec![sets(1, &[1, 2]), sets(1, &[2, 3]), close(2, &[4]), close(2, &[4])]);
        let said = |item: &Item| match &item.mail {
            Mail::Worker(message) => match &**message {
                ToWorker::Sets { sets, .. } => sets.iter().map(|(task, _)| task.0).collect(),
                ToWorker::Close { tasks, .. } => tasks.iter().map(|task| task.0).collect(),
                ToWorker::Assign { .. } => Vec::new(),
            },
            Mail::Home(_) => Vec::new(),
        };
        assert_eq!(items.iter().map(said).collect::<Vec<_>>(), [vec![1, 2, 3], vec![4]]);
    }

    #[test]
    fn what_is_said_about_one_task_keeps_its_order() {
        let items = gather(vec![sets(1, &[1]), close(1, &[1]), sets(1, &[1, 2]), sets(1, &[2])]);
        assert_eq!(shape(&items), [('s', vec![1]), ('c', vec![1]), ('s', vec![1, 2])]);
    }
}
