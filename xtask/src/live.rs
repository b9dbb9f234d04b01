//! A day in the life: nodes of many owners under mixed load while things go wrong, watched for what
//! grows, for what nobody can explain, and for what is lost.

mod chance;
mod faults;
mod graph;
mod load;
mod watch;

use crate::{
    bench::{
        process::until,
        society::{Node, Society},
        trivial,
        world::{self, World},
    },
    project::Project,
    steps::Steps,
};
use anyhow::{Context as _, bail, ensure};
use chance::Chance;
use faults::Happened;
use load::{Habit, Person, Score};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, atomic::Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};
use watch::Look;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(10);
/// How long the nodes may take to answer when nothing goes wrong any more.
const CALM: Duration = Duration::from_secs(300);
/// Validators: one of them may be down.
const VALIDATORS: usize = 4;
/// Two sweeps, a task and a directory at a time.
const HABITS: [Habit; 4] = [Habit::Sweep, Habit::Sweep, Habit::Single, Habit::Files];
/// What their nodes are told: so little room that it must be made again many times in a day.
const SETTINGS: &str = "\
[storage]
quota_bytes = 536870912
pack_bytes = 67108864

[upkeep]
repair_pause_ms = 30000
grace_ms = 120000
";
/// Ends at once, with 0.
const NOTHING: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    minutes: u64,
    nodes: usize,
    /// What chance follows from; a fresh one if none is given.
    seed: Option<u64>,
    build: bool,
    dir: PathBuf,
}

impl Options {
    fn parse(args: &[String]) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir();
        let mut options = Self { minutes: 60, nodes: 10, seed: None, build: true, dir };
        let mut args = args.iter();
        while let Some(name) = args.next() {
            if name == "--no-build" {
                options.build = false;
                continue;
            }
            let value = args.next().with_context(|| format!("{name} needs a value"))?;
            let number = || value.parse().with_context(|| format!("{name} {value} is no number"));
            match name.as_str() {
                "--minutes" => options.minutes = number()?,
                "--nodes" => options.nodes = number()? as usize,
                "--seed" => options.seed = Some(number()?),
                "--dir" => options.dir = value.into(),
                other => bail!(
                    "live takes --minutes N, --nodes N, --seed S, --no-build and --dir DIR, not {other}"
                ),
            }
        }
        ensure!(options.minutes > 0, "--minutes 0 is no time");
        ensure!(options.nodes >= VALIDATORS, "--nodes must be {VALIDATORS} or more");
        Ok(options)
    }
}

/// The command `live`.
pub(crate) fn run(project: &Project, steps: &mut Steps, args: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(args)?;
    if options.build {
        world::build(steps, std::iter::empty())?;
    }
    let seed = match options.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs(),
    };
    let world = World::new(project, &options.dir, false)?;
    let kept = project.target.join(format!("live/{seed}"));
    fs::create_dir_all(&kept).with_context(|| kept.display().to_string())?;
    eprintln!("seed {seed}; what is left of it will be in {}", kept.display());
    let (homes, genesis) = Society::found(&world, options.nodes, VALIDATORS)?;
    for home in &homes {
        let file = home.join("config.toml");
        fs::write(&file, SETTINGS).with_context(|| file.display().to_string())?;
    }
    let society = Society::up(&world, &homes, genesis)?;
    let end = Instant::now() + Duration::from_secs(options.minutes * 60);
    let (day, ended) = pass(&world, society, (seed, end))?;
    // Of a day that went wrong, too: that is when somebody wants to know.
    day.keep(&kept)?;
    ended?;
    day.judge()
}

/// What was seen.
struct Day {
    looks: Vec<Look>,
    score: Score,
    happened: Happened,
    logs: Vec<PathBuf>,
}

/// Lives until then, or until something is wrong.
fn pass(
    world: &World,
    society: Society,
    (seed, end): (u64, Instant),
) -> anyhow::Result<(Day, anyhow::Result<()>)> {
    let program = trivial::assemble(&world.fresh("program")?, "nothing", NOTHING)?;
    let homes: Vec<PathBuf> = society.nodes.iter().map(|node| node.data.clone()).collect();
    let logs = society.nodes.iter().map(|node| node.log().to_path_buf()).collect();
    let nodes = Mutex::new(society.nodes);
    let score = Score::default();
    let mut seeds = Chance::new(seed);
    let mut people = Vec::new();
    for habit in HABITS {
        let dir = world.fresh("person")?;
        let chance = Chance::new(seeds.number());
        let (polity, homes, program) = (world.polity.as_path(), &homes, &program);
        people.push((habit, Person { polity, homes, program, dir, chance, score: &score }));
    }
    let chance = Chance::new(seeds.number());
    let mut happened = Happened::default();
    let (looks, ended) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch_over(&nodes, &score));
        for (habit, person) in people {
            scope.spawn(move || person.live(habit));
        }
        let ended = faults::happen(&nodes, world, chance, end, &mut happened);
        score.over.store(true, Ordering::Relaxed);
        let looks = watching.join().map_err(|_| anyhow::anyhow!("whoever watched panicked"));
        (looks, ended)
    });
    let mut nodes = nodes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let ended = ended.and_then(|()| calm(world, &mut nodes));
    Ok((Day { looks: looks??, score, happened, logs }, ended))
}

/// Looks at the nodes until the day is over.
fn watch_over(nodes: &Mutex<Vec<Node>>, score: &Score) -> anyhow::Result<Vec<Look>> {
    let (begin, mut looks) = (Instant::now(), Vec::new());
    while !score.over.load(Ordering::Relaxed) {
        let at = begin.elapsed();
        let processes: Vec<(u32, PathBuf)> = {
            let nodes = nodes.lock().unwrap_or_else(PoisonError::into_inner);
            nodes.iter().map(|node| (node.pid(), node.data.clone())).collect()
        };
        let taken = processes.iter().map(|(pid, data)| watch::taken(*pid, data));
        let nodes = taken.collect::<anyhow::Result<_>>()?;
        looks.push(Look { at, nodes, tasks: score.tasks.load(Ordering::Relaxed) });
        thread::sleep(LOOK.saturating_sub(begin.elapsed().saturating_sub(at)));
    }
    Ok(looks)
}

/// Nothing goes wrong any more: all nodes answer, have no job left, and end when they are asked to.
fn calm(world: &World, nodes: &mut [Node]) -> anyhow::Result<()> {
    for node in &*nodes {
        until("a node to be done with its jobs", CALM, || {
            let status = node.ask(world, &["node", "describe"])?;
            Ok((status["totals"]["jobs"] == 0).then_some(()))
        })?;
    }
    nodes.iter_mut().try_for_each(Node::rest)
}

impl Day {
    /// Writes the picture, its numbers, what failed and what the nodes said.
    fn keep(&self, dir: &Path) -> anyhow::Result<()> {
        let write = |name: &str, text: String| {
            let path = dir.join(name);
            fs::write(&path, text).with_context(|| path.display().to_string())
        };
        write("soak.svg", graph::draw(&self.looks))?;
        write("looks.csv", watch::table(&self.looks))?;
        write("failures.txt", self.score.failures().join("\n\n"))?;
        for log in &self.logs {
            let name = log.file_name().context("a log without a name")?;
            fs::copy(log, dir.join(name)).with_context(|| log.display().to_string())?;
        }
        Ok(())
    }

    /// Says how it was, and fails if something was lost or made up.
    fn judge(&self) -> anyhow::Result<()> {
        for ((habit, well), count) in self.score.counts() {
            println!("{habit:?}: {count} {}", if well { "went well" } else { "did not go well" });
        }
        for (fault, count) in &self.happened.counts {
            println!("{fault:?}: {count} times");
        }
        println!(
            "the slowest node answered again after {:.1} s",
            self.happened.slowest.as_secs_f64()
        );
        for (line, count) in said(&self.logs)?.into_iter().take(40) {
            println!("{count:>7} × {line}");
        }
        let failures = self.score.failures();
        let wrong = failures.iter().find(|failure| failure.contains("came back as something else"));
        if let Some(wrong) = wrong {
            bail!("{wrong}");
        }
        Ok(())
    }
}

/// What the nodes warned of, without numbers and names, the most frequent first.
fn said(logs: &[PathBuf]) -> anyhow::Result<Vec<(String, u64)>> {
    let mut said: BTreeMap<String, u64> = BTreeMap::new();
    for log in logs {
        let text = fs::read_to_string(log).with_context(|| log.display().to_string())?;
        for line in text.lines() {
            let level = [" WARN ", " ERROR "].into_iter().find(|level| line.contains(level));
            let Some((_, message)) = level.and_then(|level| line.split_once(level)) else {
                continue;
            };
            let words = message.split_whitespace().take_while(|word| !word.contains('='));
            let message = words.collect::<Vec<_>>().join(" ");
            *said
                .entry(format!("{}{message}", level.unwrap_or_default().trim_start()))
                .or_default() += 1;
        }
    }
    let mut said: Vec<_> = said.into_iter().collect();
    said.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::{Options, said};

    fn parse(line: &str) -> anyhow::Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_day_is_an_hour_of_ten_nodes_unless_somebody_says_otherwise() {
        let day = parse("").expect("nothing is asked for");
        assert_eq!((day.minutes, day.nodes, day.seed, day.build), (60, 10, None, true));
        let short = parse("--minutes 2 --nodes 4 --seed 7 --no-build").expect("a line");
        assert_eq!((short.minutes, short.nodes, short.seed, short.build), (2, 4, Some(7), false));
        assert!(parse("--minutes 0").is_err() && parse("--nodes 3").is_err());
        assert!(
            parse("--seed").is_err() && parse("--seed x").is_err() && parse("--hours 1").is_err()
        );
    }

    #[test]
    fn warnings_are_counted_by_what_they_say() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let lines =
            "t  INFO begins job=1\nt  WARN is away node=1\nt  WARN is away node=2\nt ERROR broke\n";
        std::fs::write(log.path(), lines).expect("a log");
        let said = said(&[log.path().to_path_buf()]).expect("a log");
        assert_eq!(said, [("WARN is away".to_string(), 2), ("ERROR broke".to_string(), 1)]);
    }
}
