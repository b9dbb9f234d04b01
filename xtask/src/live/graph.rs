//! A picture of a day: memory, open files and disk of each node, and tasks a second.

use super::watch::{Look, Taken};
use std::fmt::Write as _;

/// Of the picture, in pixels.
const WIDTH: f64 = 860.0;
const PANEL: f64 = 150.0;
const GAP: f64 = 46.0;
const LEFT: f64 = 62.0;
/// One for each node, then again from the first.
const COLOURS: [&str; 10] = [
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#994455",
    "#997700", "#004488",
];

/// What one panel shows.
struct Panel {
    title: &'static str,
    /// One for each line: seconds and values, with holes.
    lines: Vec<Vec<(f64, Option<f64>)>>,
}

/// The picture as SVG.
pub(super) fn draw(looks: &[Look]) -> String {
    let nodes = looks.iter().map(|look| look.nodes.len()).max().unwrap_or_default();
    let of = |value: fn(&Taken) -> f64| -> Vec<_> {
        let line = |node: usize| {
            let taken = |look: &Look| look.nodes.get(node).copied().flatten();
            looks
                .iter()
                .map(|look| (look.at.as_secs_f64(), taken(look).map(|t| value(&t))))
                .collect()
        };
        (0..nodes).map(line).collect()
    };
    let panels = [
        Panel { title: "memory of each node, MiB", lines: of(|taken| mib_of(taken.memory_bytes)) },
        Panel { title: "open files of each node", lines: of(|taken| taken.files as f64) },
        Panel { title: "disk of each node, MiB", lines: of(|taken| mib_of(taken.disk_bytes)) },
        Panel { title: "tasks a second, all nodes", lines: vec![rates(looks)] },
    ];
    let height = panels.len() as f64 * (PANEL + GAP) + GAP;
    let seconds = looks.last().map_or(1.0, |look| look.at.as_secs_f64()).max(1.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        let top = GAP + number as f64 * (PANEL + GAP);
        panel.draw(&mut svg, top, seconds);
    }
    svg.push_str("</svg>\n");
    svg
}

fn mib_of(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Tasks a second between two looks.
fn rates(looks: &[Look]) -> Vec<(f64, Option<f64>)> {
    let rate = |pair: &[Look]| {
        let seconds = (pair[1].at - pair[0].at).as_secs_f64().max(0.001);
        (pair[1].at.as_secs_f64(), Some((pair[1].tasks - pair[0].tasks) as f64 / seconds))
    };
    looks.windows(2).map(rate).collect()
}

/// The next of 1, 2, 5, 10, 20, … that is not less.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|top| *top >= value)
        .unwrap_or(value)
}

impl Panel {
    fn draw(&self, svg: &mut String, top: f64, seconds: f64) {
        let values = self.lines.iter().flatten().filter_map(|(_, value)| *value);
        let most = round_up(values.fold(1.0, f64::max));
        let x = |at: f64| LEFT + at / seconds * (WIDTH - LEFT - 20.0);
        let y = |value: f64| top + PANEL - value / most * PANEL;
        // Writing to a string does not fail.
        let mut put = |text: std::fmt::Arguments<'_>| {
            let _written = svg.write_fmt(text);
        };
        let title = self.title;
        put(format_args!(
            "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>\n",
            top - 8.0
        ));
        for share in [0.0, 0.5, 1.0] {
            let (at, value) = (y(most * share), most * share);
            let right = WIDTH - 20.0;
            put(format_args!(
                "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\n\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{value}</text>\n",
                LEFT - 6.0,
                at + 4.0
            ));
        }
        for tenth in 0..=5 {
            let at = seconds * f64::from(tenth) / 5.0;
            put(format_args!(
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{:.0} min</text>\n",
                x(at),
                top + PANEL + 16.0,
                at / 60.0
            ));
        }
        for (number, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            for part in line.split(|(_, value)| value.is_none()).filter(|part| !part.is_empty()) {
                let points: Vec<_> = part
                    .iter()
                    .filter_map(|(at, value)| Some(format!("{:.1},{:.1}", x(*at), y((*value)?))))
                    .collect();
                put(format_args!(
                    "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.2\" points=\"{}\"/>\n",
                    points.join(" ")
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{draw, rates, round_up};
    use crate::live::watch::{Look, Taken};
    use std::time::Duration;

    #[test]
    fn a_node_that_was_down_leaves_a_hole() {
        let taken = Taken { memory_bytes: 50 << 20, files: 80, threads: 9, disk_bytes: 1 << 20 };
        let look = |at: u64, up: bool, tasks: u64| Look {
            at: Duration::from_secs(at),
            nodes: vec![up.then_some(taken), Some(taken)],
            tasks,
        };
        let looks = [look(0, true, 0), look(10, false, 50), look(20, true, 150)];
        assert_eq!(rates(&looks), [(10.0, Some(5.0)), (20.0, Some(10.0))]);
        // Two parts and one whole line for each of three panels, and one of rates.
        assert_eq!(draw(&looks).matches("<polyline").count(), 3 * 3 + 1);
    }

    #[test]
    fn scales_end_at_round_numbers() {
        assert_eq!(
            [0.2, 1.0, 1.1, 37.0, 51.0, 100.0].map(round_up),
            [1.0, 1.0, 2.0, 50.0, 100.0, 100.0]
        );
    }
}
