//! Homes: what their work wants done, and what they are told.

use super::{
    At, BEGIN, Event, Ordered, World, book, book::Reach, describe, desk::As, truth, worker::Deed,
};
use identity::{PublicKey, Signed};
use ledger::Refusal;
use protocol::{Agreements, Dispute, JobEvent, JobId, Machine, Placement, ToHome, ToWorker, Tx};
use work::{Effect, Input, TaskStatus};

impl World {
    pub(super) fn submit_plan(&mut self, number: usize) {
        let plan = self.setting.plans[number].clone();
        let home = plan.home;
        if !self.nodes[home].up {
            return self.after(100, Event::Submit(number));
        }
        self.unsubmitted -= 1;
        let (order, table) = self.polity.order(number, &plan, self.now);
        let job = order.payload.id();
        if self.nodes[home].is_honest() {
            self.waiting.insert(job, self.now);
        }
        let sealed = order.payload.placement == Placement::Sealed;
        self.jobs.insert(job, Ordered { plan, table });
        let tip = self.nodes[home].ledger.tip();
        let (drawn, beacon) = (tip.height, tip.beacon);
        let input =
            if sealed { Input::Seal { order } } else { Input::Submit { order, drawn, beacon } };
        self.tell(home, input);
    }

    /// Has a job wait, or go on. Whoever is away hears of it later.
    pub(super) fn pause(&mut self, number: usize, on: bool) {
        let home = self.setting.plans[number].home;
        match self.job_of(number).filter(|_| self.nodes[home].up) {
            Some(job) if on => self.tell(home, Input::Pause { job }),
            Some(job) => self.tell(home, Input::Resume { job }),
            None => self.after(100, Event::Pause(number, on)),
        }
    }

    /// Homes give a node nothing any more, or something again.
    pub(super) fn cordon(&mut self, node: usize, on: bool) {
        self.note(format_args!("! n{node} is {}", if on { "cordoned" } else { "given work" }));
        let key = self.nodes[node].public();
        let reason = on.then(|| "its owner says so".to_string());
        let is_home = |home: &usize| self.nodes[*home].home.is_some();
        let homes: Vec<_> = (0..self.nodes.len()).filter(is_home).collect();
        for home in homes {
            if self.nodes[home].up {
                self.tell(home, Input::Cordon { node: key, reason: reason.clone() });
            } else if !on {
                self.after(100, Event::Cordon { node, on });
            }
        }
    }

    fn job_of(&self, number: usize) -> Option<JobId> {
        let plan = &self.setting.plans[number];
        let found = self.jobs.iter().find(|(_, ordered)| ordered.plan == *plan);
        found.map(|(job, _)| *job)
    }

    pub(super) fn cancel(&mut self, number: usize) {
        let home = self.setting.plans[number].home;
        let job = self.job_of(number);
        match job.filter(|_| self.nodes[home].up) {
            Some(job) => self.tell(home, Input::Cancel { job }),
            None => self.after(100, Event::Cancel(number)),
        }
    }

    pub(super) fn tick(&mut self, home: usize) {
        let Some(owner) = &mut self.nodes[home].home else { return };
        owner.tick_at = None;
        let due = owner.work.next_deadline().is_some_and(|at| at <= self.now);
        if due && self.nodes[home].up {
            self.tell(home, Input::Tick);
        }
    }

    /// One entry of a home's log.
    pub(super) fn tell(&mut self, home: usize, input: Input) {
        let mut effects = Vec::new();
        let Some(owner) = &mut self.nodes[home].home else { return };
        owner.work.step(self.now, input, &mut effects);
        for effect in effects {
            self.carry_out(home, effect);
        }
    }

    pub(super) fn tell_roster(&mut self, home: usize) {
        let ledger = &self.nodes[home].ledger;
        let (height, roster) = (ledger.roster_since(), ledger.roster().as_ref().clone());
        self.tell(home, Input::Roster { height, roster });
    }

    fn carry_out(&mut self, home: usize, effect: Effect) {
        match effect {
            Effect::Send { to, message } => self.send(home, &to, message),
            Effect::Publish(agreements) => self.publish(home, *agreements),
            Effect::Order(order) => {
                let name = self.home_name(home);
                self.note(format_args!("{name} orders"));
                self.submit(home, Tx::Order(order));
            }
            Effect::Draw { job } => {
                let ledger = &self.nodes[home].ledger;
                let (drawn, beacon) = (ledger.tip().height, ledger.tip().beacon);
                let roster = ledger.roster().as_ref().clone();
                self.tell(home, Input::Drawn { job, drawn, beacon, roster });
            }
            Effect::Dispute(dispute) => self.dispute(home, *dispute),
            Effect::Accuse(found) => {
                if self.nodes[home].is_honest() {
                    self.accuse(home, *found);
                }
            }
            Effect::Keep { outcome, from, .. } => assert!(
                outcome.check().is_ok() && !from.is_empty(),
                "what is kept is an outcome that somebody has"
            ),
            Effect::Event { job, event } => self.tell_submitter(home, job, &event),
            Effect::Finished { job } => self.write_receipt(home, job),
            Effect::Refused { error, .. } => panic!("an empty home has room: {error}"),
        }
    }

    fn tell_submitter(&mut self, home: usize, job: JobId, event: &JobEvent) {
        let Some(owner) = &mut self.nodes[home].home else { return };
        if let JobEvent::Agreed { outcome, .. } = event {
            assert!(owner.agreed.insert((job, outcome.task)), "a task is agreed on once");
        }
        if let JobEvent::Started { task, node, .. } = event {
            let paused = owner.work.job(&job).is_some_and(work::JobRecord::is_paused);
            assert!(!paused, "task {task} is given out although its job is paused");
            let cordon = owner.work.node(node).and_then(|view| view.cordon);
            assert_eq!(cordon, None, "task {task} is given to a node that is cordoned");
        }
        let ended = matches!(event, JobEvent::Finished { .. });
        let written = if ended { owner.written.remove(&job) } else { None };
        let text = describe::event(event, |node| self.name(node));
        let name = self.home_name(home);
        let star = if name == "home" { "*".into() } else { format!("* {name}:") };
        self.note(format_args!("{star} {text}"));
        if let Some(written) = written {
            self.ended(home, job, written);
        }
    }

    fn send(&mut self, home: usize, to: &PublicKey, message: ToWorker) {
        let Some(place) = self.polity.place(to) else { return };
        let owner = &self.nodes[home];
        let message = match owner.liar() {
            Some(liar) => liar.shows(&owner.hand(), to, message),
            None => Some(message),
        };
        let Some(message) = message else { return self.tally.count("withheld by its home") };
        let name = self.home_name(home);
        self.note(format_args!("{name} > n{place} {}", describe::to_worker(&message)));
        let life = self.nodes[place].life;
        self.deliver(home, place, Event::ToWorker { home, to: place, life, message });
    }

    /// Puts agreements before the validators, unless the node's own ledger refuses them.
    fn publish(&mut self, home: usize, agreements: Agreements) {
        let name = self.home_name(home);
        self.note(format_args!("{name} publishes {}", describe::agreements(&agreements)));
        let owner = &self.nodes[home];
        let said = match owner.liar() {
            Some(liar) => liar.publishes(&owner.hand(), agreements),
            None => vec![agreements],
        };
        for agreements in said {
            let job = agreements.order.payload.id();
            let tx = Tx::Agree(Box::new(agreements));
            let digest = tx.digest();
            match self.refusal(home, &tx) {
                Some(Refusal::Final { .. }) => {}
                Some(refusal) if !refusal.is_passing() && self.nodes[home].is_honest() => {
                    let reason = refusal.to_string();
                    self.note(format_args!("= refused: {reason}"));
                    self.tell(home, Input::RefusedByLedger { job, tx: digest, reason });
                }
                _ => self.submit(home, tx),
            }
        }
    }

    fn dispute(&mut self, home: usize, dispute: Dispute) {
        let (job, task) = (dispute.order.payload.id(), dispute.task);
        let name = self.home_name(home);
        self.note(format_args!("{name} disputes {task} ({} claims)", dispute.claims.len()));
        let signed = Signed::new(dispute.clone(), self.polity.network(), &self.nodes[home].key);
        match self.refusal(home, &Tx::Dispute(Box::new(signed))) {
            Some(Refusal::NothingNew) => {}
            Some(refusal) if !refusal.is_passing() => {
                let reason = refusal.to_string();
                self.note(format_args!("= refused: {reason}"));
                self.tell(home, Input::DisputeRefused { job, task, reason });
            }
            _ => self.file(home, As::Home, dispute),
        }
    }

    /// What the node's own ledger says to a transaction.
    pub(super) fn refusal(&self, node: usize, tx: &Tx) -> Option<Refusal> {
        match ledger::CheckedTx::new(tx.clone(), self.polity.network()) {
            Ok(checked) => self.nodes[node].ledger.check_tx(&checked).err(),
            Err(error) => Some(error.into()),
        }
    }

    pub(super) fn hear(&mut self, home: usize, to: usize, life: u32, message: &ToWorker) {
        let node = &mut self.nodes[to];
        if !node.up || node.life != life {
            return;
        }
        let now = self.now;
        let deeds = node.acting().hear(message, now, &mut self.random);
        for deed in deeds {
            match deed {
                Deed::Say(message) => self.say_to(to, home, message),
                Deed::Run(place, run_ms) => {
                    self.after(run_ms, Event::Ran { node: to, life, place });
                }
            }
        }
    }

    /// A worker speaks to the home of the job that it speaks about.
    pub(super) fn say(&mut self, from: usize, message: ToHome) {
        let job = match &message {
            ToHome::Committed(batch) => batch.statement.payload.job,
            ToHome::Revealed { batch, .. } => batch.statement.payload.job,
            ToHome::NoResult { job, .. } => *job,
        };
        if let Some(home) = self.jobs.get(&job).map(|ordered| ordered.plan.home) {
            self.say_to(from, home, message);
        }
    }

    fn say_to(&mut self, from: usize, home: usize, message: ToHome) {
        let name = self.home_name(home);
        self.note(format_args!("n{from} > {name} {}", describe::to_home(&message)));
        let by = self.nodes[from].public();
        for lie in self.lies_in(&message) {
            self.book.tell(by, lie, Reach::Unheard);
        }
        let life = self.nodes[home].life;
        self.deliver(home, from, Event::ToHome { home, from, life, message });
    }

    fn lies_in(&mut self, message: &ToHome) -> Vec<(At, book::Lie)> {
        match message {
            ToHome::Committed(batch) => self.book.commits(batch),
            ToHome::Revealed { batch, .. } => {
                self.book.reveals(batch, |(job, task)| truth::right(job, task))
            }
            ToHome::NoResult { .. } => Vec::new(),
        }
    }

    /// What reaches a home that crashed meanwhile is lost.
    pub(super) fn answer(&mut self, home: usize, from: usize, life: u32, message: ToHome) {
        if !self.nodes[home].up || self.nodes[home].life != life {
            return;
        }
        let node = self.nodes[from].public();
        self.write_down(home, node, &message);
        if self.nodes[home].liar().is_some_and(|liar| liar.leaks(&message)) {
            self.leak(home, &message);
        }
        let network = self.polity.network();
        let input = match message {
            ToHome::Committed(batch) => {
                let job = batch.statement.payload.job;
                assert!(batch.check(&job, network).is_ok(), "workers sign what holds");
                Input::Committed { node, batch }
            }
            ToHome::Revealed { batch, outcomes } => {
                let job = batch.statement.payload.job;
                assert!(batch.check(&job, network).is_ok(), "workers sign what holds");
                Input::Revealed { node, batch, outcomes }
            }
            ToHome::NoResult { job, replicas } => Input::NoResult { node, job, replicas },
        };
        self.tell(home, input);
    }

    /// How far the lies in a message got.
    fn write_down(&mut self, home: usize, by: PublicKey, message: &ToHome) {
        let lies = match message {
            ToHome::Committed(batch) => self.book.commits_heard(batch),
            _ => self.lies_in(message),
        };
        for ((job, task), lie) in lies {
            let owner = &self.nodes[home];
            let record = owner.home.as_ref().and_then(|home| home.work.job(&job));
            let status = record.and_then(|record| record.status(task));
            let reach = match status {
                _ if !owner.is_honest() => Reach::ToLiar,
                Some(TaskStatus::Running { .. }) => Reach::Heard,
                _ => Reach::Late,
            };
            self.book.tell(by, ((job, task), lie), reach);
        }
    }

    fn leak(&mut self, home: usize, message: &ToHome) {
        let ToHome::Revealed { outcomes, .. } = message else { return };
        let friends: Vec<_> = self.nodes[home].friends.iter().map(|key| key.public()).collect();
        self.tally.count("leaks");
        for node in self.nodes.iter_mut().filter(|node| friends.contains(&node.public())) {
            for outcome in outcomes {
                node.leaked.insert((outcome.job, outcome.task), outcome.clone());
            }
        }
    }

    /// Wakes homes when their next deadline comes.
    pub(super) fn watch_time(&mut self) {
        for home in 0..self.nodes.len() {
            let node = &self.nodes[home];
            let Some(owner) = node.home.as_ref().filter(|_| node.up) else { continue };
            let Some(at) = owner.work.next_deadline() else { continue };
            if owner.tick_at.is_none_or(|before| at < before) {
                if let Some(owner) = &mut self.nodes[home].home {
                    owner.tick_at = Some(at);
                }
                self.after(at.since_ms(self.now), Event::Tick(home));
            }
        }
        debug_assert!(self.now >= BEGIN);
    }
}
