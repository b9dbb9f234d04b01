//! How it is drawn: the same facts always look the same.

use super::facts::{self, Answer, Facts};
use crate::text;
use api::{JobSummary, NodeInfo};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, Row, Sparkline, Table},
};
use std::cmp::Reverse;

/// Rows of the sparkline.
const SPARK: u16 = 3;

/// What a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Leave,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    /// The other list.
    Other,
    Sort,
    /// The terminal has another size.
    Redraw,
}

/// By what nodes are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sort {
    #[default]
    Load,
    Speed,
    Owner,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Load => Self::Speed,
            Self::Speed => Self::Owner,
            Self::Owner => Self::Load,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Speed => "speed",
            Self::Owner => "owner",
        }
    }

    fn sort(self, nodes: &mut [&NodeInfo]) {
        let used = |node: &NodeInfo| node.load.as_ref().map_or(0, |load| load.used + load.waiting);
        let speed = |node: &NodeInfo| node.load.as_ref().and_then(|load| load.fuel_ms);
        nodes.sort_by_key(|node| (node.owner_name.clone(), node.node));
        match self {
            Self::Owner => {}
            Self::Load => nodes.sort_by_key(|node| (!node.connected, Reverse(used(node)))),
            Self::Speed => nodes.sort_by_key(|node| (!node.connected, Reverse(speed(node)))),
        }
    }
}

/// What of the facts is looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    sort: Sort,
    /// Jobs are chosen, not nodes.
    jobs: bool,
    /// The first row that is shown, of nodes and of jobs.
    from: [usize; 2],
    /// Rows of the chosen list that fit, as it was last drawn.
    rows: usize,
}

impl View {
    /// Does what a key means, except leaving.
    pub(super) fn press(&mut self, key: Key, facts: &Facts) {
        let counts = facts
            .answer()
            .map_or([0, 0], |answer| [answer.nodes.len(), facts::under_way(&answer.jobs).len()]);
        let chosen = usize::from(self.jobs);
        let page = self.rows.max(1);
        let from = &mut self.from[chosen];
        match key {
            Key::Up => *from = from.saturating_sub(1),
            Key::Down => *from += 1,
            Key::PageUp => *from = from.saturating_sub(page),
            Key::PageDown => *from += page,
            Key::Home => *from = 0,
            Key::Other => self.jobs = !self.jobs,
            Key::Sort => self.sort = self.sort.next(),
            Key::Leave | Key::Redraw => {}
        }
        let from = &mut self.from[chosen];
        *from = (*from).min(counts[chosen].saturating_sub(1));
    }

    /// Draws everything.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>, facts: &Facts) {
        let [title, cluster, queue, label, spark, nodes, jobs, keys] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(SPARK),
            Constraint::Fill(1),
            Constraint::Fill(1),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let bold = Style::new().add_modifier(Modifier::BOLD);
        frame.render_widget(Paragraph::new(Line::styled(facts.title(), bold)), title);
        frame.render_widget(Paragraph::new(facts.cluster()), cluster);
        frame.render_widget(Paragraph::new(queue_line(facts)), queue);
        let (now, most) = facts.throughput();
        let line = format!("tasks/s: {now} now, {most} at most; {}", facts.work());
        frame.render_widget(Paragraph::new(line), label);
        let width = usize::from(spark.width);
        let skipped = facts.rates().len().saturating_sub(width);
        let rates: Vec<u64> = facts.rates().skip(skipped).collect();
        let line = Sparkline::default().data(&rates).style(Style::new().fg(Color::Green));
        frame.render_widget(line, spark);
        if let Some(answer) = facts.answer() {
            self.draw_nodes(frame, nodes, answer);
            self.draw_jobs(frame, jobs, answer);
        }
        let chosen = if self.jobs { jobs } else { nodes };
        // Its border and its head are no rows.
        self.rows = usize::from(chosen.height).saturating_sub(2);
        let last = match facts.trouble() {
            Some(trouble) => Line::styled(trouble, Style::new().fg(Color::Red)),
            None => {
                let sort = self.sort.name();
                Line::from(format!("q leave   Tab nodes/jobs   up/down move   s sort: {sort}"))
            }
        };
        frame.render_widget(Paragraph::new(last), keys);
    }

    fn draw_nodes(&self, frame: &mut Frame<'_>, area: Rect, answer: &Answer) {
        let mut nodes: Vec<_> = answer.nodes.iter().collect();
        self.sort.sort(&mut nodes);
        let up = nodes.iter().filter(|node| node.connected).count();
        let title = format!(" nodes: {up} of {} ", nodes.len());
        let row = |node: &&NodeInfo| {
            let state = facts::state(node, answer.status.clock);
            let waiting = node.load.as_ref().map_or(0, |load| load.waiting);
            let cells = [
                format!("…{}", node.node.short()),
                text::cut(&node.owner_name, 14),
                state.into(),
                facts::load(node),
                waiting.to_string(),
                facts::speed(node),
                facts::distance(node),
                labels(node),
            ];
            Row::new(cells).style(colour(state))
        };
        let rows = nodes.iter().skip(self.from[0]).map(row);
        let widths = [9, 14, 8, 7, 5, 10, 7].map(Constraint::Length).into_iter();
        let head = ["NODE", "OWNER", "STATE", "LOAD", "WAIT", "SPEED", "RTT", "LABELS"];
        let table = Table::new(rows, widths.chain([Constraint::Fill(1)]));
        frame.render_widget(framed(table, title, &head, !self.jobs), area);
    }

    fn draw_jobs(&self, frame: &mut Frame<'_>, area: Rect, answer: &Answer) {
        let jobs = facts::under_way(&answer.jobs);
        let title = format!(" jobs: {} ", jobs.len());
        let row = |job: &&JobSummary| {
            let state = facts::job_state(job);
            let cells = [
                text::short(job.job),
                job.priority.to_string(),
                state.into(),
                text::number(job.tasks.into()),
                text::number(job.running.into()),
                text::number(job.settled.into()),
                text::number(job.unsettled.into()),
                job.deadline.map_or("-".into(), text::moment),
            ];
            Row::new(cells).style(colour(state))
        };
        let rows = jobs.iter().skip(self.from[1]).map(row);
        let widths = [8, 10, 7, 9, 7, 9, 7].map(Constraint::Length).into_iter();
        let head = ["JOB", "PRIORITY", "STATE", "TASKS", "RUNNING", "FINAL", "FAILED", "DEADLINE"];
        let table = Table::new(rows, widths.chain([Constraint::Fill(1)]));
        frame.render_widget(framed(table, title, &head, self.jobs), area);
    }
}

/// A list with its title and its head; the chosen one is brighter.
fn framed<'a>(table: Table<'a>, title: String, head: &[&'a str], chosen: bool) -> Table<'a> {
    let style = if chosen {
        Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD)
    } else {
        Style::new().add_modifier(Modifier::DIM)
    };
    let block = Block::new().borders(Borders::TOP).title(title).border_style(style);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    table.header(Row::new(head.to_vec()).style(bold)).block(block)
}

fn queue_line(facts: &Facts) -> Line<'static> {
    let mut spans = vec![Span::raw("queue ")];
    for (name, count) in facts.queue() {
        let style = if count > 0 { Style::new() } else { Style::new().add_modifier(Modifier::DIM) };
        spans.push(Span::styled(format!(" {name} {}", text::number(count)), style));
    }
    Line::from(spans)
}

fn labels(node: &NodeInfo) -> String {
    let labels = node.profile.as_ref().map(|profile| &profile.labels).into_iter().flatten();
    labels.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn colour(state: &str) -> Style {
    match state {
        "away" | "waiting" => Style::new().add_modifier(Modifier::DIM),
        "cordoned" | "window" | "paused" => Style::new().fg(Color::Yellow),
        "barred" => Style::new().fg(Color::Red),
        _ => Style::new(),
    }
}
