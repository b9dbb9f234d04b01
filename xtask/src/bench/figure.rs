//! One line of the table: what was measured, what it should be, and what something else needs.

use super::sample::Sample;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Ms,
    PerS,
    /// Decimal: kB, MB.
    Bytes,
    /// Binary: MiB.
    Memory,
    /// Decimal, of bytes: MB/s.
    Rate,
    Percent,
    Ratio,
    Minutes,
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Ms if value.abs() >= 10_000.0 => format!("{} s", digits(value / 1e3)),
            Self::Ms => format!("{} ms", digits(value)),
            Self::PerS => format!("{}/s", digits(value)),
            Self::Bytes if value.abs() >= 1e6 => format!("{} MB", digits(value / 1e6)),
            Self::Bytes => format!("{} kB", digits(value / 1e3)),
            Self::Rate => format!("{} MB/s", digits(value / 1e6)),
            Self::Memory => format!("{} MiB", digits(value / f64::from(1 << 20))),
            Self::Percent => format!("{}%", digits(value)),
            Self::Ratio => format!("{value:.3}"),
            Self::Minutes => format!("{} min", digits(value)),
        }
    }
}

/// Three digits that mean something, thousands apart.
fn digits(value: f64) -> String {
    if value.abs() < 9.995 {
        return format!("{value:.2}");
    }
    if value.abs() < 99.95 {
        return format!("{value:.1}");
    }
    let plain = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Where a number should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn text(self, unit: Unit) -> String {
        match self {
            Self::AtMost(bound) => format!("≤ {}", unit.text(bound)),
            Self::AtLeast(bound) => format!("≥ {}", unit.text(bound)),
        }
    }

    /// By how much a number misses it; `None` if it is met.
    fn missed(self, value: f64) -> Option<f64> {
        let by = match self {
            Self::AtMost(bound) => value - bound,
            Self::AtLeast(bound) => bound - value,
        };
        (by > 0.0).then_some(by)
    }

    fn bound(self) -> f64 {
        match self {
            Self::AtMost(bound) | Self::AtLeast(bound) => bound,
        }
    }
}

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measure {
    name: &'static str,
    value: f64,
    unit: Unit,
    goal: Option<Goal>,
}

/// The same numbers of something else, in the same run.
#[derive(Clone, Debug, PartialEq)]
struct Beside {
    who: String,
    measures: Vec<Measure>,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    what: String,
    measures: Vec<Measure>,
    beside: Vec<Beside>,
    notes: Vec<String>,
}

impl Figure {
    /// A line without numbers yet.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), measures: Vec::new(), beside: Vec::new(), notes: Vec::new() }
    }

    /// A number without a goal. An empty name is for the only one.
    pub(crate) fn with(mut self, name: &'static str, value: f64, unit: Unit) -> Self {
        self.measures.push(Measure { name, value, unit, goal: None });
        self
    }

    /// Gives the number of that name its goal.
    pub(crate) fn goal(mut self, name: &str, goal: Goal) -> Self {
        for measure in self.measures.iter_mut().filter(|measure| measure.name == name) {
            measure.goal = Some(goal);
        }
        self
    }

    /// Median and p95 of times in milliseconds.
    pub(crate) fn times(self, sample: &Sample) -> Self {
        self.with("p50", sample.median(), Unit::Ms).with("p95", sample.p95(), Unit::Ms)
    }

    /// The same numbers of something else: names as here, units too.
    pub(crate) fn beside(mut self, other: &Self) -> Self {
        let (who, measures) = (other.what.clone(), other.measures.clone());
        self.beside.push(Beside { who, measures });
        self.notes.extend(other.notes.iter().cloned());
        self
    }

    /// Something that a reader must know.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The cells of the line: what, goal, measured, verdict, beside.
    pub(crate) fn cells(&self) -> [String; 5] {
        let mut what = self.what.clone();
        if !self.notes.is_empty() {
            what = format!("{what} ({})", self.notes.join("; "));
        }
        let goals = self.measures.iter().filter_map(|measure| {
            let goal = measure.goal?.text(measure.unit);
            Some(format!("{} {goal}", measure.name).trim_start().to_string())
        });
        let goals: Vec<_> = goals.collect();
        let beside: Vec<_> = self.beside.iter().map(|other| self.compare(other)).collect();
        let or_none = |texts: Vec<String>| match texts.is_empty() {
            true => "–".to_string(),
            false => texts.join(", "),
        };
        let measured = texts_of(&self.measures);
        [what, or_none(goals), or_none(vec![measured]), or_none(self.verdict()), or_none(beside)]
    }

    /// For people: the same on one line.
    pub(crate) fn line(&self) -> String {
        let [what, goal, measured, verdict, beside] = self.cells();
        format!("{what}: {measured} | goal {goal}: {verdict} | beside: {beside}")
    }

    /// Whether every goal is met.
    #[cfg(test)]
    fn is_met(&self) -> bool {
        self.measures.iter().all(|m| m.goal.is_none_or(|goal| goal.missed(m.value).is_none()))
    }

    fn verdict(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let mut goals = 0;
        for Measure { name, value, unit, goal } in &self.measures {
            let Some(goal) = goal else { continue };
            goals += 1;
            if let Some(by) = goal.missed(*value) {
                let percent = by / goal.bound() * 100.0;
                let text = format!("{name} missed by {} ({percent:.0}%)", unit.text(by));
                missed.push(text.trim_start().to_string());
            }
        }
        match (goals, missed.is_empty()) {
            (0, _) => Vec::new(),
            (_, true) => vec!["met".into()],
            (_, false) => missed,
        }
    }

    fn compare(&self, other: &Beside) -> String {
        let ratios = other.measures.iter().filter_map(|theirs| {
            let ours = self.measures.iter().find(|m| m.name == theirs.name)?;
            let ratio = ours.value / theirs.value;
            ratio.is_finite().then(|| format!("{} {ratio:.2}", theirs.name).trim().to_string())
        });
        let ratios: Vec<_> = ratios.collect();
        let numbers = texts_of(&other.measures);
        match ratios.is_empty() {
            true => format!("{}: {numbers}", other.who),
            false => format!("{}: {numbers} (ours/theirs {})", other.who, ratios.join(", ")),
        }
    }
}

fn texts_of(measures: &[Measure]) -> String {
    let text = |m: &Measure| format!("{} {}", m.name, m.unit.text(m.value)).trim().to_string();
    match measures.is_empty() {
        true => "not available".into(),
        false => measures.iter().map(text).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Goal, Unit, digits};

    #[test]
    fn a_line_says_what_is_missed_and_by_how_much() {
        let rival = Figure::new("rival").with("p50", 60.0, Unit::Ms);
        let figure = Figure::new("warm")
            .with("p50", 45.0, Unit::Ms)
            .with("p95", 64.0, Unit::Ms)
            .goal("p50", Goal::AtMost(30.0))
            .goal("p95", Goal::AtMost(65.0))
            .beside(&rival)
            .note("idle");
        assert!(!figure.is_met());
        let [what, goal, measured, verdict, beside] = figure.cells();
        assert_eq!(what, "warm (idle)");
        assert_eq!(goal, "p50 ≤ 30.0 ms, p95 ≤ 65.0 ms");
        assert_eq!(measured, "p50 45.0 ms, p95 64.0 ms");
        assert_eq!(verdict, "p50 missed by 15.0 ms (50%)");
        assert_eq!(beside, "rival: p50 60.0 ms (ours/theirs p50 0.75)");
    }

    #[test]
    fn what_has_no_goal_has_no_verdict_and_what_meets_it_is_met() {
        let figure = Figure::new("rate").with("", 3100.0, Unit::PerS);
        assert_eq!(figure.cells(), ["rate", "–", "3,100/s", "–", "–"]);
        let [.., verdict, beside] =
            figure.goal("", Goal::AtLeast(3000.0)).beside(&Figure::new("absent")).cells();
        assert_eq!((verdict.as_str(), beside.as_str()), ("met", "absent: not available"));
    }

    #[test]
    fn numbers_have_about_three_digits() {
        let shown = [0.123, 9.99, 9.999, 99.9, 100.4, 1234.0, 1_234_567.0].map(digits);
        assert_eq!(shown, ["0.12", "9.99", "10.0", "99.9", "100", "1,234", "1,234,567"]);
        assert_eq!(Unit::Bytes.text(2048.0), "2.05 kB");
        assert_eq!(Unit::Bytes.text(4_194_304.0), "4.19 MB");
        assert_eq!(Unit::Memory.text(4_194_304.0), "4.00 MiB");
    }
}
