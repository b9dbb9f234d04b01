//! Outputs of all tasks, joined into one file.

use super::results::{Done, Results};
use crate::failure::Failure;
use objects::{Cid, Codec};
use protocol::{TaskSpec, TaskTable};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

/// Bytes of a first line.
const HEADER_BYTES: u64 = 1 << 20;
const STEP_BYTES: usize = 256 << 10;

/// What is joined, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collect {
    /// The file; `None` is our stdout.
    file: Option<PathBuf>,
    /// The output of each task; `None` is what it wrote to stdout.
    output: Option<String>,
}

/// What came of joining.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Collected {
    /// Tasks whose output is in the file.
    pub(crate) joined: usize,
    /// Tasks that ended well and wrote no such file.
    pub(crate) without: Vec<String>,
    /// Tasks whose first line is another one: it was kept.
    pub(crate) other_header: Vec<String>,
}

impl Collect {
    /// Reads `FILE`, or `FILE=PATH`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (file, output) = match text.split_once('=') {
            Some((file, output)) => (file, Some(output)),
            None => (text, None),
        };
        let is_empty = |text: &str| text.is_empty();
        if is_empty(file) || output.is_some_and(is_empty) {
            return Err("write FILE, or FILE=PATH with the path of an output below /out".into());
        }
        let file = (file != "-").then(|| file.into());
        let output = output.map(|path| path.trim_start_matches("/out/").to_string());
        Ok(Self { file, output })
    }

    /// How it is written.
    pub(crate) fn text(&self) -> String {
        let file = self.file.as_ref().map_or("-".into(), |file| file.display().to_string());
        match &self.output {
            Some(output) => format!("{file}={output}"),
            None => file,
        }
    }

    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The same below another directory, if it is a file.
    pub(crate) fn at(self, place: impl FnOnce(&Path) -> PathBuf) -> Self {
        Self { file: self.file.map(|file| place(&file)), ..self }
    }

    /// Checks that the file can be written, before anything runs. The directory of the results may
    /// have to be made yet.
    pub(crate) fn check(&self, results: Option<&Path>) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Ok(()) };
        if results.is_some_and(|dir| file.starts_with(dir)) && !file.exists() {
            return Ok(());
        }
        if file.is_dir() {
            return Err(Failure::usage(format!("--collect {}: a directory", file.display())));
        }
        draft(file).map(drop)
    }

    /// Joins what tasks of the run gave, in this order. The file is there whole or not at all.
    pub(crate) fn join(
        &self,
        tasks: &[(&TaskSpec, Option<&Done>)],
        results: &Results,
        header: bool,
    ) -> Result<Collected, Failure> {
        let Some(file) = &self.file else {
            let mut out = Stdout(io::stdout().lock());
            let collected = self.write(&mut out, tasks, results, header)?;
            out.flush().map_err(Failure::internal)?;
            return Ok(collected);
        };
        let failed = |error: io::Error| Failure::file(file, &error);
        if let Some(dir) = file.parent().filter(|dir| dir.starts_with(results.dir())) {
            fs::create_dir_all(dir).map_err(|error| Failure::file(dir, &error))?;
        }
        let mut draft = draft(file)?;
        let mut out = io::BufWriter::with_capacity(STEP_BYTES, draft.as_file_mut());
        let collected = self.write(&mut out, tasks, results, header)?;
        out.flush().map_err(failed)?;
        drop(out);
        draft.as_file().sync_all().map_err(failed)?;
        draft.persist(file).map_err(|error| failed(error.error))?;
        Ok(collected)
    }

    fn write(
        &self,
        out: &mut impl Write,
        tasks: &[(&TaskSpec, Option<&Done>)],
        results: &Results,
        header: bool,
    ) -> Result<Collected, Failure> {
        let mut collected = Collected::default();
        let mut joined = Joined { first: None, lines: header || self.output.is_none(), header };
        for (spec, done) in tasks {
            let Some(done) = done else { continue };
            let output = self.output.as_ref().map(|path| filled(path, spec));
            let Some(path) = results.file(done, output.as_deref()) else {
                collected.without.push(spec.name.clone());
                continue;
            };
            collected.joined += 1;
            let source = match File::open(&path) {
                // Nothing was printed, and there is no file of it.
                Err(_) if output.is_none() && done.outcome.stdout == nothing() => continue,
                opened => opened.map_err(|error| Failure::file(&path, &error))?,
            };
            let same = joined.add(source, out);
            if !same.map_err(|error| Failure::file(&path, &error))? {
                collected.other_header.push(spec.name.clone());
            }
        }
        Ok(collected)
    }
}

/// What `{}` and `{x}` stand for in a path, as in arguments.
fn filled(path: &str, spec: &TaskSpec) -> String {
    let table = TaskTable::of(vec![path.into()], Vec::new());
    table.args_of(spec).swap_remove(0)
}

fn nothing() -> Cid {
    Cid::of(Codec::Raw, b"")
}

/// A file beside the one that is to be, under another name; it goes away if it is not persisted.
fn draft(file: &Path) -> Result<tempfile::NamedTempFile, Failure> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = tempfile::Builder::new()
        .prefix(".polity-collect-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(dir);
    made.map_err(|error| {
        let failure = Failure::file(dir, &error);
        Failure::usage(format!("--collect {}: {}", file.display(), failure.message))
    })
}

/// Our stdout. A reader that went away is no failure.
struct Stdout(io::StdoutLock<'static>);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// How one output is joined to those before.
struct Joined {
    /// The first line of the first output.
    first: Option<Vec<u8>>,
    /// Outputs are lines: each ends with a line break.
    lines: bool,
    /// Every output begins with the same line, which is kept once.
    header: bool,
}

impl Joined {
    /// Tells whether the first line was the one of the others.
    fn add(&mut self, source: impl Read, out: &mut impl Write) -> io::Result<bool> {
        let mut source = BufReader::with_capacity(STEP_BYTES, source);
        let mut same = true;
        if self.header {
            let mut line = Vec::new();
            (&mut source).take(HEADER_BYTES).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(true);
            }
            let text = line.trim_ascii_end();
            match &self.first {
                Some(first) if first == text => {}
                Some(_) => {
                    same = false;
                    write_whole(out, &line)?;
                }
                None => {
                    self.first = Some(text.to_vec());
                    write_whole(out, &line)?;
                }
            }
        }
        let mut last = None;
        loop {
            let bytes = source.fill_buf()?;
            let Some(end) = bytes.last() else { break };
            last = Some(*end);
            out.write_all(bytes)?;
            let read = bytes.len();
            source.consume(read);
        }
        if self.lines && last.is_some_and(|end| end != b'\n') {
            out.write_all(b"\n")?;
        }
        Ok(same)
    }
}

/// A line, with its break even if it was the last one and had none.
fn write_whole(out: &mut impl Write, line: &[u8]) -> io::Result<()> {
    out.write_all(line)?;
    // One that is as long as is read goes on.
    let whole = line.ends_with(b"\n") || line.len() as u64 == HEADER_BYTES;
    if whole { Ok(()) } else { out.write_all(b"\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{course::tests::outcome, manifest::Manifest};
    use identity::Digest;
    use protocol::{End, Output};

    fn spec(name: &str) -> TaskSpec {
        let params = vec![("x".to_string(), format!("{name}!"))];
        TaskSpec { name: name.into(), inputs: Vec::new(), stdin: None, params }
    }

    /// What tasks of these names gave: they printed, and wrote `out.csv`, if it is not empty.
    fn join(text: &str, outputs: &[(&str, &str)], header: bool) -> (String, Collected) {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let manifest = Manifest { run: Digest([1; 32]), tasks: 9, known: Vec::new() };
        let results = Results::open(out.clone(), manifest, 1 << 20).unwrap();
        let mut tasks = Vec::new();
        for (name, content) in outputs {
            let mut outcome = outcome(0, End::Exit(0));
            if !content.is_empty() {
                let cid = Cid::of(Codec::Raw, content.as_bytes());
                outcome.stdout = cid;
                outcome.outputs = vec![Output { path: "out.csv".into(), cid, size_bytes: 1 }];
                for path in [format!("{name}/out.csv"), format!(".polity/stdout/{name}")] {
                    let path = out.join(path);
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, content).unwrap();
                }
            }
            tasks.push((spec(name), Done { name: (*name).into(), outcome }));
        }
        let tasks: Vec<_> = tasks.iter().map(|(spec, done)| (spec, Some(done))).collect();
        let file = dir.path().join("all");
        let collect = Collect::parse(text).unwrap().at(|_| file.clone());
        collect.check(None).unwrap();
        let collected = collect.join(&tasks, &results, header).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no draft is left");
        (fs::read_to_string(file).unwrap(), collected)
    }

    #[test]
    fn what_was_printed_is_joined_in_order_line_by_line() {
        let (text, collected) = join("all", &[("b", "1"), ("a", "2\n"), ("c", "")], false);
        assert_eq!(text, "1\n2\n");
        assert_eq!(collected, Collected { joined: 3, ..Collected::default() });
    }

    #[test]
    fn files_are_joined_byte_by_byte_and_who_has_none_is_said() {
        let (text, collected) = join("all=out.csv", &[("a", "1"), ("b", "2"), ("c", "")], false);
        assert_eq!((text.as_str(), collected.joined), ("12", 2));
        assert_eq!(collected.without, ["c"]);
        let (text, _) = join("all=/out/{}.csv", &[("out", "1"), ("b", "2")], false);
        assert_eq!(text, "1", "only one task wrote a file named as itself");
    }

    #[test]
    fn one_header_is_kept_and_another_one_is_said() {
        let outputs = [("a", "x,y\n1,2"), ("b", "x,y\r\n3,4\n"), ("c", "z\n5\n"), ("d", "x,y")];
        let (text, collected) = join("all=out.csv", &outputs, true);
        assert_eq!(text, "x,y\n1,2\n3,4\nz\n5\n");
        assert_eq!((collected.joined, collected.other_header), (4, vec!["c".to_string()]));
    }

    #[test]
    fn where_nothing_can_be_written_is_said_before() {
        let dir = tempfile::tempdir().unwrap();
        let check = |path: &Path| Collect::parse(path.to_str().unwrap()).unwrap().check(None);
        assert!(check(dir.path()).unwrap_err().message.contains("a directory"));
        assert!(check(&dir.path().join("none/all")).unwrap_err().message.contains("--collect"));
        assert_eq!(Collect::parse("-").unwrap().check(None), Ok(()));
        let inside = Collect::parse(dir.path().join("new/all").to_str().unwrap()).unwrap();
        assert_eq!(inside.check(Some(&dir.path().join("new"))), Ok(()), "it is made with it");
        for text in ["", "=x", "x="] {
            assert!(Collect::parse(text).is_err(), "{text}");
        }
        for text in ["-", "a", "a=b", "-=b"] {
            assert_eq!(Collect::parse(text).unwrap().text(), text);
        }
    }
}
