//! One owner's machines as one: what the queue decides in, what three processes agree in, many
//! trivial tasks on them, and what a leader's death costs.

use super::{
    figure::{Figure, Goal, Unit},
    process::{self, until},
    rivals,
    sample::Sample,
    society::{Node, Society},
    trivial,
    world::World,
};
use crate::steps::Steps;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

/// How long one sweep, or one change of leaders, may take.
const LIMIT: Duration = Duration::from_secs(900);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// Ends at once, with 0.
const NOTHING: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// The bench `cluster`.
pub(crate) fn run(world: &World, steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let mut society = Society::start(world, 2, 1)?;
    let machines = [society.machine(world)?, society.machine(world)?];
    let first = society.nodes.pop().context("the owner's first machine")?;
    let [second, third] = machines;
    let mut trio = Trio { world, _validator: society, machines: vec![first, second, third] };
    trio.voters(3)?;
    let mut figures = vec![trio.commits()?];
    figures.extend(trio.sweeps(steps)?);
    figures.extend(trio.deaths()?);
    Ok(figures)
}

/// Three machines of one owner, and the node of another one, which keeps the ledger.
struct Trio<'a> {
    world: &'a World,
    _validator: Society,
    machines: Vec<Node>,
}

impl Trio<'_> {
    fn status(&self, n: usize) -> anyhow::Result<Value> {
        self.machines[n].ask(self.world, &["cluster", "status"])
    }

    /// Waits until so many vote as every machine knows.
    fn voters(&self, count: usize) -> anyhow::Result<()> {
        for n in 0..self.machines.len() {
            until("voters", ANSWER, || {
                let status = self.status(n)?;
                let members = status["members"].as_array().context("members")?;
                let votes = members.iter().filter(|member| member["votes"] == true).count();
                Ok((votes == count && status["at_rest"] == true).then_some(()))
            })?;
        }
        Ok(())
    }

    /// The machine that leads, and its key.
    fn leader(&self) -> anyhow::Result<(usize, String)> {
        until("a leader", ANSWER, || {
            for n in 0..self.machines.len() {
                let status = self.status(n)?;
                if status["leader"].is_string() && status["leader"] == status["node"] {
                    let key = status["node"].as_str().context("a key")?.to_string();
                    return Ok(Some((n, key)));
                }
            }
            Ok(None)
        })
    }

    /// Small decisions of the leader, one after the other: each durable on two of three.
    fn commits(&self) -> anyhow::Result<Figure> {
        let (leader, key) = self.leader()?;
        let place = place_of(&self.machines[leader].data)?;
        let times = self.world.either(1_000, 100);
        let mut took = Vec::new();
        for number in 0..times {
            let change = match number % 2 {
                0 => json!({ "cordon": { "node": key, "reason": "a bench" } }),
                _ => json!({ "uncordon": { "node": key } }),
            };
            let start = Instant::now();
            ensure!(decide(&place, &change)?, "the leader took no decision");
            took.push(start.elapsed());
        }
        let what = "a decision of three processes, with the request for it";
        let sample = Sample::of_times(&took)?;
        let figure = Figure::new(what).times(&sample).with("p99", sample.percentile(99), Unit::Ms);
        Ok(figure.goal("p99", Goal::AtMost(10.0)))
    }

    /// Many tasks that do nothing.
    fn sweeps(&self, steps: &Steps) -> anyhow::Result<Vec<Figure>> {
        let tasks = self.world.either(10_000, 1_000);
        let program = trivial::assemble(&self.world.fresh("program")?, "nothing", NOTHING)?;
        let (leader, _) = self.leader()?;
        let mut figures = Vec::new();
        for wait in ["agreed", "final"] {
            let sweep = |tasks: u64| {
                let out = self.world.absent("out");
                let mut command = self.machines[leader].polity(&["run"]);
                command.arg(&program).args(["--fresh", "--verify", "single", "--wait", wait]);
                command.arg("--array").arg(tasks.to_string()).arg("-o").arg(out);
                process::run(&self.world.scratch, &mut command, LIMIT)
            };
            sweep(50)?;
            let took = sweep(tasks)?.took;
            let what = format!("{tasks} trivial tasks on 3 machines of one owner, to {wait}");
            let rate = tasks as f64 / took.as_secs_f64();
            let figure = Figure::new(what).with("", rate, Unit::PerS);
            figures.push(figure.goal("", Goal::AtLeast(5_000.0)));
        }
        let beside = rivals::many(self.world, steps, tasks)?;
        let with = |figure| beside.iter().fold(figure, Figure::beside);
        Ok(figures.into_iter().map(with).collect())
    }

    /// The leader is killed again and again: until another one decides, and until it is current.
    fn deaths(&mut self) -> anyhow::Result<Vec<Figure>> {
        let (mut decided, mut current) = (Vec::new(), Vec::new());
        for _ in 0..self.world.either(10, 2) {
            let (dead, key) = self.leader()?;
            let other = place_of(&self.machines[(dead + 1) % 3].data)?;
            let start = Instant::now();
            self.machines[dead].kill()?;
            let change = json!({ "uncordon": { "node": key } });
            until("a decision", ANSWER, || Ok(decide(&other, &change)?.then_some(())))?;
            decided.push(start.elapsed());

            let start = Instant::now();
            self.machines[dead].start_again()?;
            let goal = self.status((dead + 1) % 3)?["committed"].as_u64().context("committed")?;
            until("a node to be current", ANSWER, || {
                // Until its door is open, the command fails.
                let Ok(status) = self.status(dead) else { return Ok(None) };
                let applied = status["applied"].as_u64().unwrap_or(0);
                Ok((applied >= goal && status["leader"].is_string()).then_some(()))
            })?;
            current.push(start.elapsed());
        }
        let figure = |what: &str, took: &[Duration], goal| -> anyhow::Result<Figure> {
            Ok(Figure::new(what).times(&Sample::of_times(took)?).goal("p95", Goal::AtMost(goal)))
        };
        Ok(vec![
            figure("leader killed: to the next decision", &decided, 1_000.0)?,
            figure("killed node: from its start until it is current", &current, 5_000.0)?,
        ])
    }
}

/// Where a node's door is, and what opens it.
fn place_of(data: &Path) -> anyhow::Result<(String, String)> {
    let read = |name: &str| {
        let path = data.join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let api: Value = serde_json::from_str(&read("api.json")?)?;
    let addr = api["addr"].as_str().context("api.json: no addr")?;
    Ok((addr.to_string(), read("api.token")?.trim().to_string()))
}

/// Asks for a change of the cluster; whether it was made.
fn decide((addr, token): &(String, String), change: &Value) -> anyhow::Result<bool> {
    let body = change.to_string();
    let Ok(mut stream) = TcpStream::connect(addr) else { return Ok(false) };
    stream.set_read_timeout(Some(ANSWER))?;
    let head = format!(
        "POST /v1/cluster HTTP/1.1\r\nhost: {addr}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
