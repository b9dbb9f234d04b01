//! What a person may say about a job, in groups: for `run`, for `rerun`, and for job files.

use super::needs::{self, Needs};
use crate::{
    failure::Failure,
    job::{
        collect::Collect,
        course::Wait,
        files,
        grid::{self, Grid},
        inputs::{self, Inputs},
        recipe,
    },
    text,
};
use glob::Pattern;
use protocol::{Durability, Limits, Placement, Verification};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use toml::Value;

/// What runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Tasks")]
pub(super) struct Tasks {
    /// One task for each file: paths, patterns, - for paths on stdin, @LIST for paths in a file.
    /// {} in an argument is the file's name
    #[arg(long, value_name = "GLOB|-|@LIST", num_args = 1.., conflicts_with = "input")]
    pub(super) each: Vec<String>,
    /// Lists of --each end their paths with zero bytes, as those of 'find -print0'
    #[arg(short = '0', long)]
    pub(super) null: bool,
    /// Files for one task, or for every case; - is stdin
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) input: Vec<PathBuf>,
    /// One task for each combination. Ranges have both ends: 1..10, 0..100:5, 0.1..0.5:0.1. The
    /// program sees x in its environment, {x} in an argument is its value
    #[arg(long, value_name = "x=1..10,y=a,b")]
    pub(super) param: Vec<String>,
    /// One task for each line of a CSV file; names are in its first line
    #[arg(long, value_name = "FILE.csv")]
    pub(super) param_file: Option<PathBuf>,
    /// That many tasks; the parameter 'index' counts them: 20 is 0..19
    #[arg(long, value_name = "N|A..B")]
    pub(super) array: Option<String>,
    /// An argument of the program
    #[arg(long = "arg", value_name = "A", allow_hyphen_values = true)]
    pub(super) args: Vec<String>,
    /// What the program sees as random follows this text, and what each task is given
    #[arg(long, value_name = "TEXT")]
    pub(super) seed: Option<String>,
    /// Where relative patterns of --each begin, if not here.
    #[arg(skip)]
    pub(super) dir: Option<PathBuf>,
}

/// How it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "How they run")]
pub(super) struct Terms {
    /// How many must agree: single, 2of3, … Usually 2of3 if three owners are there
    #[arg(long, value_name = "single|KofN")]
    pub(super) verify: Option<Verification>,
    /// How nodes are drawn: fast, or sealed, one more block with nothing to grind. Usually fast
    #[arg(long, value_name = "fast|sealed")]
    pub(super) placement: Option<Placement>,
    /// Work that one task may do: about one unit for each instruction
    #[arg(long, value_name = "N", value_parser = text::count)]
    pub(super) fuel: Option<u64>,
    /// Memory that one task may use: 64M, 2G
    #[arg(long, value_name = "M", value_parser = text::bytes)]
    pub(super) memory: Option<u64>,
    /// How long one task may take on a node, before it is tried elsewhere: 30s, 10m. Usually 10m
    #[arg(long, value_name = "T", value_parser = text::duration)]
    pub(super) wall: Option<Duration>,
    /// When the job expires: 90s, 10m, 2h. Usually a day
    #[arg(long, value_name = "T", value_parser = text::duration)]
    pub(super) timeout: Option<Duration>,
    /// Only once this job has ended well: every task agreed and ended with 0
    #[arg(long, value_name = "JOB")]
    pub(super) after: Vec<String>,
    #[command(flatten)]
    pub(super) needs: Needs,
}

/// Where results go.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Results")]
pub(super) struct Place {
    /// Where results go: empty, new, or where those of the same run are. Usually a new directory
    /// here
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// How far to wait. Usually final
    #[arg(long, value_enum)]
    pub(super) wait: Option<Wait>,
    /// Join what all tasks printed into FILE, in their order, or the outputs of that PATH. {} and
    /// {x} in PATH are as in an argument, - is stdout
    #[arg(long, value_name = "FILE[=PATH]", value_parser = Collect::parse)]
    pub(super) collect: Vec<Collect>,
    /// They all begin with the same line, as CSV does: keep it once
    #[arg(long, requires = "collect")]
    pub(super) collect_header: bool,
    /// Order and leave: the job's id is on stdout
    #[arg(long, conflicts_with = "collect")]
    pub(super) detach: bool,
    /// Spread the results over other nodes, so that they outlive some: 4+2 is any 4 of 6 shards,
    /// x3 is three copies. The CID of the directory is said
    #[arg(long, value_name = "K+M|xN", conflicts_with = "detach")]
    pub(super) durability: Option<Durability>,
}

/// The options that a job file may name, beside those of [`needs::KEYS`].
const KEYS: [&str; 21] = [
    "each",
    "null",
    "input",
    "param",
    "param-file",
    "array",
    "arg",
    "seed",
    "verify",
    "placement",
    "fuel",
    "memory",
    "wall",
    "timeout",
    "after",
    "output",
    "wait",
    "collect",
    "collect-header",
    "detach",
    "durability",
];

/// All of them.
fn keys() -> Vec<&'static str> {
    KEYS.into_iter().chain(needs::KEYS).collect()
}

/// What is said now, else what was said before.
fn or<T>(now: Vec<T>, before: Vec<T>) -> Vec<T> {
    if now.is_empty() { before } else { now }
}

impl Tasks {
    /// The grid of parameters, and what the tasks read.
    pub(super) fn inputs(&mut self) -> Result<Inputs, Failure> {
        let grid = Grid::of(&self.param, self.param_file.as_deref(), self.array.as_deref())?;
        grid.check(1)?;
        let inputs = if self.each.is_empty() {
            inputs::single(&self.input)?
        } else {
            let from = files::From { dir: self.dir.as_deref(), null: self.null };
            inputs::sweep(&self.each, &from)?
        };
        inputs.times(&grid, &mut self.args)
    }

    /// This, over what a job file says.
    fn over(self, file: Self) -> Self {
        let named = !self.each.is_empty() || !self.input.is_empty();
        let (each, input, dir) = if named {
            (self.each, self.input, self.dir)
        } else {
            (file.each, file.input, file.dir)
        };
        let null = self.null || (file.null && !named);
        Self {
            each,
            null,
            input,
            param: params_over(self.param, file.param),
            param_file: self.param_file.or(file.param_file),
            array: self.array.or(file.array),
            args: or(self.args, file.args),
            seed: self.seed.or(file.seed),
            dir,
        }
    }

    /// What a job file in that directory says, as seen from here.
    fn below(self, dir: &Path) -> Self {
        let input = self.input.into_iter();
        let below = |path: PathBuf| if path == Path::new("-") { path } else { dir.join(path) };
        Self {
            input: input.map(below).collect(),
            param_file: self.param_file.map(|path| dir.join(path)),
            dir: Some(dir.into()),
            ..self
        }
    }

    fn lines(&self, dir: &Path) -> Result<Vec<(&'static str, Value)>, Failure> {
        let each: Vec<_> = self.each.iter().map(|one| self.each_seen(one, dir)).collect();
        let input: Vec<_> = self.input.iter().map(|one| not_stdin(one, dir)).collect();
        let file = self.param_file.as_ref().map(|path| path_text(path, dir)).transpose()?;
        let text = |text: &Option<String>| text.clone().map(Value::from);
        Ok(kept([
            ("each", list(each.into_iter().collect::<Result<_, _>>()?)),
            ("null", self.null.then(|| true.into())),
            ("input", list(input.into_iter().collect::<Result<_, _>>()?)),
            ("param", list(self.param.clone())),
            ("param-file", file.map(Value::from)),
            ("array", text(&self.array)),
            ("arg", list(self.args.clone())),
            ("seed", text(&self.seed)),
        ]))
    }

    /// A pattern as seen from another directory.
    fn each_seen(&self, pattern: &str, dir: &Path) -> Result<String, Failure> {
        let below = |rest: &str| match &self.dir {
            Some(from) => from.join(rest),
            None => rest.into(),
        };
        if pattern == "-" {
            return not_stdin(Path::new(pattern), dir);
        }
        if let Some(path) = pattern.strip_prefix('@') {
            return Ok(format!("@{}", path_text(&below(path), dir)?));
        }
        let seen = path_text(&below(pattern), dir)?;
        // Only what the person wrote may mean more than it says.
        let way = seen.strip_suffix(pattern.trim_start_matches("./")).unwrap_or_default();
        if Pattern::escape(way) != way {
            return Err(Failure::usage(format!("{way}: patterns use some of these characters"))
                .next("save the job file beside the data"));
        }
        Ok(seen)
    }
}

/// Every parameter that is given now takes the place of the one of that name.
fn params_over(now: Vec<String>, before: Vec<String>) -> Vec<String> {
    if now.is_empty() || before.is_empty() {
        return or(now, before);
    }
    let name = |part: &String| part.split('=').next().unwrap_or_default().trim().to_string();
    let mut all: Vec<_> = before.iter().flat_map(|text| grid::parts(text)).collect();
    for part in now.iter().flat_map(|text| grid::parts(text)) {
        match all.iter_mut().find(|other| name(other) == name(&part)) {
            Some(other) => *other = part,
            None => all.push(part),
        }
    }
    all
}

impl Terms {
    /// These limits, and the usual ones where nothing is said.
    pub(super) fn limits(&self, usual: Limits) -> Limits {
        Limits {
            fuel: self.fuel.unwrap_or(usual.fuel),
            memory_bytes: self.memory.unwrap_or(usual.memory_bytes),
            wall_ms: self.wall.map_or(usual.wall_ms, text::ms),
            ..usual
        }
    }

    fn over(self, file: Self) -> Self {
        Self {
            verify: self.verify.or(file.verify),
            placement: self.placement.or(file.placement),
            fuel: self.fuel.or(file.fuel),
            memory: self.memory.or(file.memory),
            wall: self.wall.or(file.wall),
            timeout: self.timeout.or(file.timeout),
            after: or(self.after, file.after),
            needs: self.needs.over(file.needs),
        }
    }

    fn lines(&self) -> Vec<(&'static str, Value)> {
        let number = |number: Option<u64>| {
            // TOML has no larger ones; as text every one can be read.
            let value = |number: u64| {
                i64::try_from(number).map_or_else(|_| number.to_string().into(), Value::from)
            };
            number.map(value)
        };
        let time = |time: Option<Duration>| time.map(|time| text::written(time).into());
        let mut lines = kept([
            ("verify", self.verify.map(|verify| verify.to_string().into())),
            ("placement", self.placement.map(|placement| placement.to_string().into())),
            ("fuel", number(self.fuel)),
            ("memory", number(self.memory)),
            ("wall", time(self.wall)),
            ("timeout", time(self.timeout)),
            ("after", list(self.after.clone())),
        ]);
        lines.extend(self.needs.lines());
        lines
    }
}

impl Place {
    fn over(self, file: Self) -> Self {
        // What the file collects makes no sense for one who leaves.
        let collect = if self.detach { self.collect } else { or(self.collect, file.collect) };
        let joined = !collect.is_empty();
        Self {
            output: self.output.or(file.output),
            wait: self.wait.or(file.wait),
            collect,
            collect_header: self.collect_header || (file.collect_header && joined),
            detach: self.detach || (file.detach && !joined),
            durability: if self.detach { None } else { self.durability.or(file.durability) },
        }
    }

    fn below(self, dir: &Path) -> Self {
        let collect = self.collect.into_iter().map(|one| one.at(|file| dir.join(file))).collect();
        Self { output: self.output.map(|path| dir.join(path)), collect, ..self }
    }

    fn lines(&self, dir: &Path) -> Result<Vec<(&'static str, Value)>, Failure> {
        let output = self.output.as_ref().map(|path| path_text(path, dir)).transpose()?;
        let mut collect = Vec::new();
        for one in &self.collect {
            let seen = one.file().map(|file| recipe::seen_from(dir, file)).transpose()?;
            collect.push(one.clone().at(|file| seen.unwrap_or_else(|| file.into())).text());
        }
        let wait = self.wait.as_ref().and_then(clap::ValueEnum::to_possible_value);
        Ok(kept([
            ("output", output.map(Value::from)),
            ("wait", wait.map(|wait| wait.get_name().into())),
            ("collect", list(collect)),
            ("collect-header", self.collect_header.then(|| true.into())),
            ("detach", self.detach.then(|| true.into())),
            ("durability", self.durability.map(|durability| durability.to_string().into())),
        ]))
    }
}

/// All that a job file can say of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct Wishes {
    /// A WASI command: a module (preview 1) or a component (0.2). It sees /in (read-only) and
    /// /out, nothing else. Or a job file, which --save writes
    #[arg(value_name = "PROGRAM.wasm|JOB.toml")]
    pub(super) program: PathBuf,
    #[command(flatten)]
    pub(super) tasks: Tasks,
    #[command(flatten)]
    pub(super) terms: Terms,
    #[command(flatten)]
    pub(super) place: Place,
}

impl Wishes {
    /// What the command line says, over what the job file says if it names one.
    pub(super) fn resolved(self) -> Result<Self, Failure> {
        if !recipe::is_one(&self.program) {
            return Ok(self);
        }
        let path = self.program.clone();
        let words = recipe::read(&path, &keys())?;
        let file = parse(&words)
            .map_err(|reason| Failure::usage(format!("{}: {reason}", path.display())))?;
        if recipe::is_one(&file.program) {
            let (one, two) = (path.display(), file.program.display());
            return Err(Failure::usage(format!("{one}: its program is a job file, {two}")));
        }
        let dir = recipe::dir_of(&path);
        Ok(Self {
            program: dir.join(file.program),
            tasks: self.tasks.over(file.tasks.below(dir)),
            terms: self.terms.over(file.terms),
            place: self.place.over(file.place.below(dir)),
        })
    }

    /// Writes the job file that this amounts to.
    pub(super) fn save(&self, path: &Path) -> Result<(), Failure> {
        if !recipe::is_one(path) {
            return Err(Failure::usage(format!(
                "--save {}: job files are called NAME.toml",
                path.display()
            )));
        }
        let dir = recipe::dir_of(path);
        let mut lines = vec![("program", Value::from(path_text(&self.program, dir)?))];
        lines.extend(self.tasks.lines(dir)?);
        lines.extend(self.terms.lines());
        lines.extend(self.place.lines(dir)?);
        recipe::write(path, &lines)
    }
}

/// A command line of a job file.
#[derive(Debug, clap::Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    wishes: Wishes,
}

fn parse(words: &[String]) -> Result<Wishes, String> {
    let parsed = <Line as clap::Parser>::try_parse_from(words);
    parsed.map(|line| line.wishes).map_err(|error| {
        let text = error.to_string();
        text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string()
    })
}

pub(super) fn list(texts: Vec<String>) -> Option<Value> {
    (!texts.is_empty()).then(|| Value::Array(texts.into_iter().map(Value::from).collect()))
}

pub(super) fn kept<const N: usize>(
    lines: [(&'static str, Option<Value>); N],
) -> Vec<(&'static str, Value)> {
    lines.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

fn path_text(path: &Path, dir: &Path) -> Result<String, Failure> {
    let seen = recipe::seen_from(dir, path)?;
    seen.into_os_string().into_string().map_err(|name| {
        Failure::usage(format!("{}: a job file holds plain UTF-8 only", name.display()))
    })
}

fn not_stdin(path: &Path, dir: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        return Err(Failure::usage("what comes on stdin is in no job file")
            .next("write it to a file first"));
    }
    path_text(path, dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Wishes {
        let words: Vec<_> = line.split_whitespace().map(str::to_string).collect();
        parse(&words).unwrap()
    }

    fn file(dir: &Path, text: &str) -> PathBuf {
        let path = dir.join("job.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// What is said in a file, if nothing else is.
    fn read(path: &Path) -> Wishes {
        Wishes { program: path.into(), ..Wishes::default() }.resolved().unwrap()
    }

    #[test]
    fn the_keys_of_a_job_file_are_the_options_of_run() {
        let command = <Line as clap::CommandFactory>::command();
        let mut options: Vec<_> = command.get_opts().filter_map(|arg| arg.get_long()).collect();
        let mut keys = keys();
        options.retain(|option| *option != "help");
        options.sort_unstable();
        keys.sort_unstable();
        assert_eq!(options, keys);
    }

    #[test]
    fn what_is_saved_is_what_was_typed_wherever_the_file_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.toml");
        let d = dir.path().display();
        let lines = [
            format!("{d}/p.wasm"),
            format!("{d}/p.wasm --each {d}/*.csv @{d}/list --null --arg {{}} --arg --seed=7"),
            format!("{d}/p.wasm --input {d}/a {d}/b --param x=1..3,y=a,b --param z=0.1..0.5:0.1"),
            format!("{d}/p.wasm --param-file {d}/g.csv --array 20 --seed text --detach -o {d}/out"),
            format!(
                "{d}/p.wasm --verify 2of3 --placement sealed --fuel 5G --memory 64M --wall 30s"
            ),
            format!(
                "{d}/p.wasm --priority high --deadline 30m --label zone=north --label disk=ssd \
                 --arch x86_64 --cpus 4 --gpus 1 --disk 10G --owner Elm --node abcd1234 --near 20 \
                 --class internal"
            ),
            format!("{d}/p.wasm --timeout 500ms --after last --after abcd1234 --wait agreed"),
            format!("{d}/p.wasm --collect {d}/all=x.csv --collect - --collect-header"),
        ];
        for line in lines {
            let wishes = typed(&line);
            wishes.save(&path).unwrap();
            let mut again = read(&path);
            assert_eq!(again.tasks.dir.take().as_deref(), Some(dir.path()), "{line}");
            assert_eq!(again, wishes, "{line}");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn relative_paths_are_written_as_seen_from_the_file_and_read_so() {
        let here = std::env::current_dir().unwrap();
        let dir = tempfile::tempdir_in(&here).unwrap();
        let name = dir.path().file_name().unwrap().to_str().unwrap();
        let path = dir.path().join("job.toml");
        typed(&format!("src/p.wasm --each src/*.csv @{name}/list -o {name}/out"))
            .save(&path)
            .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for line in [
            "program = \"../src/p.wasm\"",
            "each = [\"../src/*.csv\", \"@list\"]",
            "output = \"out\"",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let wishes = read(&path);
        assert_eq!(wishes.program, dir.path().join("../src/p.wasm"));
        // Saved once more, from what was read.
        let other = dir.path().join("other.toml");
        wishes.save(&other).unwrap();
        let saved = std::fs::read_to_string(other).unwrap();
        assert!(saved.contains("src/*.csv") && saved.contains("src/p.wasm"), "{saved}");
    }

    #[test]
    fn the_command_line_counts_more_than_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(
            dir.path(),
            "program = \"p.wasm\"\neach = \"*.csv\"\nparam = [\"x=1,2\", \"y=a,b\"]\n\
             fuel = \"5G\"\nverify = \"2of3\"\ncollect = \"all\"\ncollect-header = true\n",
        );
        let line = format!("{} --param y=c --param z=1 --fuel 7", path.display());
        let wishes = typed(&line).resolved().unwrap();
        assert_eq!(wishes.tasks.param, ["x=1,2", "y=c", "z=1"]);
        assert_eq!(wishes.terms.fuel, Some(7));
        assert_eq!(wishes.terms.verify.unwrap().to_string(), "2of3");
        assert_eq!(wishes.tasks.dir.as_deref(), Some(dir.path()));
        assert_eq!(wishes.place.collect[0].file(), Some(dir.path().join("all").as_path()));
        let named = typed(&format!("{} --input a --detach", path.display())).resolved().unwrap();
        assert!(named.tasks.each.is_empty() && named.tasks.dir.is_none());
        assert!(named.place.collect.is_empty() && !named.place.collect_header);
    }

    #[test]
    fn what_makes_no_sense_in_a_file_is_said_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        for (text, said) in [
            ("program = \"p.wasm\"\nverify = \"3of2\"\n", "--verify"),
            ("program = \"p.wasm\"\neach = \"a\"\ninput = \"b\"\n", "cannot be used with"),
            ("program = \"p.toml\"\n", "is a job file"),
        ] {
            let path = file(dir.path(), text);
            let wishes = Wishes { program: path, ..Wishes::default() };
            let failure = wishes.resolved().unwrap_err();
            assert!(failure.message.contains("job.toml: "), "{failure}");
            assert!(failure.message.contains(said), "{failure}");
        }
        let stdin = typed("p.wasm --each -").save(&dir.path().join("x.toml")).unwrap_err();
        assert!(stdin.message.contains("stdin"), "{stdin}");
        assert!(typed("p.wasm").save(&dir.path().join("x.json")).is_err());
    }
}
