//! A job: an owner's signed order, and the table of its tasks.

use crate::{Error, JobId, TaskKey, Terms, Time, limits, terms::is_default};
use identity::{AtOnce, Digest, NetworkId, Notary, PublicKey, Sign, Signed, canonical};
use objects::Cid;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a task may use. A task that meets a limit ends with it, the same on every replica, except
/// for wall time, which is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Units of work: about one for each Wasm instruction.
    pub fuel: u64,
    /// Linear memory.
    pub memory_bytes: u64,
    /// Everything the program writes: files, stdout and stderr together.
    pub output_bytes: u64,
    /// Wall time of one replica.
    pub wall_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 100_000_000_000,
            memory_bytes: 512 << 20,
            output_bytes: 64 << 20,
            wall_ms: 600_000,
        }
    }
}

/// How many replicas run a task, and how many must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// Replicas of different owners that must agree.
    pub k: u16,
    /// Replicas at most.
    pub n: u16,
}

impl Verification {
    /// One replica, compared with nothing.
    pub const SINGLE: Self = Self { k: 1, n: 1 };
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::SINGLE {
            f.write_str("single")
        } else {
            write!(f, "{}of{}", self.k, self.n)
        }
    }
}

impl FromStr for Verification {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::invalid(
                "verification",
                format!("'{text}' is neither 'single' nor K'of'N with 1 ≤ K ≤ N ≤ 64, as in 2of3"),
            )
        };
        if text == "single" {
            return Ok(Self::SINGLE);
        }
        let (k, n) = text.split_once("of").ok_or_else(wrong)?;
        let parsed =
            Self { k: k.parse().map_err(|_| wrong())?, n: n.parse().map_err(|_| wrong())? };
        if parsed.k == 0 || parsed.k > parsed.n || parsed.n > limits::REPLICAS {
            return Err(wrong());
        }
        Ok(parsed)
    }
}

/// How the replicas are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// Drawn with the last final beacon: at once, but a submitter could grind its nonce.
    Fast,
    /// Ordered on the ledger first, and drawn with the beacon of the next block: one more round,
    /// and nothing to grind.
    Sealed,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fast => "fast",
            Self::Sealed => "sealed",
        })
    }
}

impl FromStr for Placement {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "fast" => Ok(Self::Fast),
            "sealed" => Ok(Self::Sealed),
            _ => {
                Err(Error::invalid("placement", format!("'{text}' is neither 'fast' nor 'sealed'")))
            }
        }
    }
}

/// An owner's order. Its id is the CID of this payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The network it is meant for.
    pub network: NetworkId,
    /// The node that takes care of it.
    pub home: PublicKey,
    /// The program: a Wasm module.
    pub program: Cid,
    /// Its tasks: the CID of a [`TaskTable`].
    pub table: Cid,
    /// How many tasks the table has.
    pub tasks: u32,
    /// The engine that must run it: version and configuration, as in [`crate::Outcome::fingerprint`].
    /// Nodes with another one do not run it, so that no honest node is ever compared with them.
    pub engine: Digest,
    /// Seed of the randomness that the program sees: see [`TaskTable::seed_of`].
    pub seed: Digest,
    /// What each task may use.
    pub limits: Limits,
    /// How the replicas are found.
    pub placement: Placement,
    /// How many must agree.
    pub verification: Verification,
    /// When the submitter signed it.
    pub issued: Time,
    /// Until when results count (block time).
    pub expires: Time,
    /// Makes two orders of the same content two jobs.
    pub nonce: Digest,
    /// What the queue is told about it, and who may run it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub terms: Terms,
}

impl Sign for Job {
    const DOMAIN: &'static str = "job";
}

impl Job {
    /// The job's id.
    pub fn id(&self) -> JobId {
        JobId(Cid::of_value(self))
    }

    /// Checks signature, network and every field; not the submitter's standing, nor the clock.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(order: &Signed<Self>, network: NetworkId) -> Result<(), Error> {
        Self::check_by(order, network, &mut AtOnce)
    }

    /// As [`Self::check`]; the signature is the notary's.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_by(
        order: &Signed<Self>,
        network: NetworkId,
        notary: &mut impl Notary,
    ) -> Result<(), Error> {
        let job = &order.payload;
        let wrong = |reason: String| Err(Error::invalid("job", reason));
        if job.network != network {
            return Err(Error::ForeignNetwork { expected: network, got: job.network });
        }
        notary.see(order, network)?;
        if job.tasks == 0 || job.tasks > limits::TASKS {
            return wrong(format!("{} tasks; 1 to {} are allowed", job.tasks, limits::TASKS));
        }
        let Verification { k, n } = job.verification;
        if k == 0 || k > n || n > limits::REPLICAS {
            return wrong(format!("{k} of {n} replicas"));
        }
        if job.expires <= job.issued {
            return wrong("it expires before it was issued".into());
        }
        let l = &job.limits;
        if l.fuel == 0 || l.memory_bytes == 0 || l.wall_ms == 0 {
            return wrong("a limit of zero".into());
        }
        if l.memory_bytes > 4 << 30 || l.output_bytes > 1 << 30 || l.wall_ms > 86_400_000 {
            return wrong(
                "limits over 4 GiB of memory, 1 GiB of output or a day of wall time".into(),
            );
        }
        job.terms.check(job.issued, job.expires)
    }
}

/// A named input file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The file's name under `/in`: one path component.
    pub name: String,
    /// Its content: a UnixFS file.
    pub cid: Cid,
    /// Its size.
    pub size_bytes: u64,
}

/// One unit of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// What people call it: the input's name, or `task`.
    pub name: String,
    /// The files under `/in`.
    pub inputs: Vec<Input>,
    /// What the program reads from stdin, if anything.
    pub stdin: Option<Cid>,
    /// Its parameters, by name: the program's environment, and `{name}` in its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<(String, String)>,
}

/// All tasks of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskTable {
    /// Arguments after the program's name; `{}` stands for the task's name, `{x}` for the value of
    /// its parameter `x`, and for itself if there is none.
    pub args: Vec<String>,
    /// The tasks, in the order of their indexes.
    pub tasks: Vec<TaskSpec>,
}

impl TaskTable {
    /// The table's name.
    pub fn cid(&self) -> Cid {
        Cid::of_value(self)
    }

    /// Reads and checks a table.
    ///
    /// # Errors
    /// If it is not canonical, or a name or a count is out of bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let table: Self = canonical::decode(bytes, limits::TABLE_BYTES)?;
        table.check()?;
        Ok(table)
    }

    /// Checks names and counts.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first thing that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::invalid("task table", reason));
        let args_bytes: usize = self.args.iter().map(String::len).sum();
        if self.args.len() > limits::ARGS || args_bytes > limits::ARGS_BYTES {
            return wrong(format!("{} arguments of {args_bytes} bytes", self.args.len()));
        }
        if self.args.iter().any(|arg| arg.contains('\0')) {
            return wrong("an argument contains a zero byte".into());
        }
        for task in &self.tasks {
            check_file_name(&task.name)?;
            task.check_params()?;
            if task.inputs.len() > limits::INPUTS {
                return wrong(format!("task {} has {} inputs", task.name, task.inputs.len()));
            }
            let mut names: Vec<_> = task.inputs.iter().map(|i| i.name.as_str()).collect();
            names.sort_unstable();
            if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return wrong(format!("task {} has two inputs named {}", task.name, pair[0]));
            }
            task.inputs.iter().try_for_each(|input| check_file_name(&input.name))?;
        }
        let mut names: Vec<_> = self.tasks.iter().map(|task| task.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return wrong(format!("two tasks are named {}", pair[0]));
        }
        Ok(())
    }

    /// The arguments of one task: `argv` without the program's name.
    pub fn args_of(&self, task: &TaskSpec) -> Vec<String> {
        self.args.iter().map(|arg| task.fill_in(arg)).collect()
    }

    /// The seed of one task's randomness: a function of the job's seed and of all that the program
    /// is given. So the same case gives the same result, wherever it stands in whichever sweep.
    pub fn seed_of(&self, seed: &Digest, task: &TaskSpec) -> Digest {
        let files: Vec<_> = task.inputs.iter().map(|input| (&input.name, &input.cid)).collect();
        let given = (self.args_of(task), &task.params, files, &task.stdin);
        Digest::of("polity task seed", &[seed.as_bytes(), &canonical::encode(&given)])
    }
}

impl Job {
    /// What the result of a task is a function of, whichever job it is a part of: program, seed,
    /// inputs, arguments, parameters, engine, and every limit but wall time.
    pub fn key_of(&self, table: &TaskTable, task: &TaskSpec) -> TaskKey {
        let Limits { fuel, memory_bytes, output_bytes, .. } = self.limits;
        let seed = table.seed_of(&self.seed, task);
        let all = (self.program, seed, self.engine, fuel, memory_bytes, output_bytes);
        TaskKey(Digest::of("polity task key", &[&canonical::encode(&all)]))
    }
}

impl TaskSpec {
    /// One argument with this task's name and parameters in it.
    fn fill_in(&self, arg: &str) -> String {
        let mut filled = String::with_capacity(arg.len());
        let mut rest = arg;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let known = after.split_once('}').and_then(|(name, after)| {
                let value = if name.is_empty() { Some(&self.name) } else { self.param(name) };
                value.map(|value| (value, after))
            });
            rest = match known {
                Some((value, after)) => {
                    filled.push_str(value);
                    after
                }
                None => {
                    filled.push('{');
                    after
                }
            };
        }
        filled.push_str(rest);
        filled
    }

    fn param(&self, name: &str) -> Option<&String> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn check_params(&self) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::invalid("task table", reason));
        let bytes: usize = self.params.iter().map(|(name, value)| name.len() + value.len()).sum();
        if self.params.len() > limits::PARAMS || bytes > limits::PARAMS_BYTES {
            let count = self.params.len();
            return wrong(format!("task {} has {count} parameters of {bytes} bytes", self.name));
        }
        for (at, (name, value)) in self.params.iter().enumerate() {
            if !is_param_name(name) {
                return wrong(format!("{name:?} is no name of a parameter: letters, digits and _"));
            }
            if value.contains('\0') {
                return wrong(format!("parameter {name} contains a zero byte"));
            }
            if self.params[..at].iter().any(|(other, _)| other == name) {
                return wrong(format!("task {} has two parameters named {name}", self.name));
            }
        }
        Ok(())
    }
}

/// Whether parameters may be called so: letters, digits and `_`, no digit first.
pub fn is_param_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && name.len() <= limits::NAME_BYTES
        && name.chars().all(plain)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// One path component that is safe to create in any directory.
pub(crate) fn check_file_name(name: &str) -> Result<(), Error> {
    let bad = name.is_empty()
        || name.len() > limits::NAME_BYTES
        || name == "."
        || name == ".."
        || name.contains(['/', '\0'])
        || name.chars().any(char::is_control);
    if bad {
        let shown: String = name.chars().take(40).collect();
        return Err(Error::invalid("file name", format!("{shown:?} is not one plain name")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Codec;

    fn task(params: &[(&str, &str)]) -> TaskSpec {
        let params = params.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        TaskSpec { name: "one".into(), inputs: Vec::new(), stdin: None, params }
    }

    fn table(args: &[&str], tasks: Vec<TaskSpec>) -> TaskTable {
        TaskTable { args: args.iter().map(|arg| (*arg).into()).collect(), tasks }
    }

    #[test]
    fn arguments_take_names_and_parameters_once() {
        let task = task(&[("x", "{y}"), ("y", "2")]);
        let args = ["{}.csv", "--x={x}", "{y}{y}", "{z}", "{", "{x", "{{}}", "a}b"];
        let filled = table(&args, Vec::new()).args_of(&task);
        assert_eq!(filled, ["one.csv", "--x={y}", "22", "{z}", "{", "{x", "{one}", "a}b"]);
    }

    #[test]
    fn parameters_have_plain_and_different_names() {
        for (params, good) in [
            (vec![("x", "1"), ("_y2", "")], true),
            (vec![("x", "1"), ("x", "2")], false),
            (vec![("2x", "1")], false),
            (vec![("", "1")], false),
            (vec![("a=b", "1")], false),
            (vec![("x", "a\0b")], false),
        ] {
            assert_eq!(table(&[], vec![task(&params)]).check().is_ok(), good, "{params:?}");
        }
    }

    #[test]
    fn the_seed_of_a_task_follows_what_the_program_is_given_and_nothing_else() {
        let seed = Digest([1; 32]);
        let of = |args: &[&str], task: &TaskSpec| table(args, Vec::new()).seed_of(&seed, task);
        let first = task(&[("x", "1")]);
        let named = TaskSpec { name: "two".into(), ..first.clone() };
        assert_eq!(of(&["a"], &first), of(&["a"], &named), "its name is not given");
        assert_ne!(of(&["{}"], &first), of(&["{}"], &named), "its name is an argument");
        let file =
            |name: &str| Input { name: name.into(), cid: Cid::of(Codec::Raw, b"1"), size_bytes: 1 };
        let others = [
            task(&[("x", "2")]),
            task(&[("y", "1")]),
            task(&[]),
            TaskSpec { stdin: Some(Cid::of(Codec::Raw, b"")), ..first.clone() },
            TaskSpec { inputs: vec![file("a")], ..first.clone() },
            TaskSpec { inputs: vec![file("b")], ..first.clone() },
        ];
        let mut seeds: Vec<_> = others.iter().map(|task| of(&["a"], task)).collect();
        seeds.extend([of(&["a"], &first), of(&["b"], &first), of(&[], &first)]);
        seeds.push(table(&["a"], Vec::new()).seed_of(&Digest([2; 32]), &first));
        let count = seeds.len();
        seeds.sort();
        seeds.dedup();
        assert_eq!(seeds.len(), count, "each is another");
    }
}
