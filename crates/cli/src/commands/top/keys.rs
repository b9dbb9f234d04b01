//! What a person presses, read on a thread of its own, because reading a terminal blocks.

use super::view::Key;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::mpsc;

/// Keys that wait to be looked at; more are dropped.
const WAITING: usize = 64;
/// How long the thread waits for a key before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// The thread. It ends when this is dropped.
pub(super) struct Keys {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keys {
    /// Begins to read.
    pub(super) fn read() -> io::Result<(Self, mpsc::Receiver<Key>)> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || read(&stopped, &sender))?;
        Ok((Self { stop, thread: Some(thread) }, receiver))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic: it only reads and sends.
            let _ended = thread.join();
        }
    }
}

/// Ends also when the terminal cannot be read any more.
fn read(stop: &AtomicBool, keys: &mpsc::Sender<Key>) {
    while !stop.load(Ordering::Relaxed) {
        let event = match event::poll(LOOK) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let Ok(event) = event else { return };
        if let Some(key) = meant(&event)
            && let Err(mpsc::error::TrySendError::Closed(_)) = keys.try_send(key)
        {
            return;
        }
    }
}

/// What an event of the terminal means here.
fn meant(event: &Event) -> Option<Key> {
    let key = match event {
        Event::Resize(..) => return Some(Key::Redraw),
        Event::Key(key) if key.kind != KeyEventKind::Release => key,
        _ => return None,
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if control => Key::Leave,
        KeyCode::Char('q') | KeyCode::Esc => Key::Leave,
        KeyCode::Char('j') | KeyCode::Down => Key::Down,
        KeyCode::Char('k') | KeyCode::Up => Key::Up,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::Home => Key::Home,
        KeyCode::Tab => Key::Other,
        KeyCode::Char('s') => Key::Sort,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::crossterm::event::KeyEvent;

    #[test]
    fn keys_mean_what_the_help_says() {
        let pressed = |code, modifiers| meant(&Event::Key(KeyEvent::new(code, modifiers)));
        let none = KeyModifiers::NONE;
        assert_eq!(pressed(KeyCode::Char('q'), none), Some(Key::Leave));
        assert_eq!(pressed(KeyCode::Esc, none), Some(Key::Leave));
        assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Leave));
        assert_eq!(pressed(KeyCode::Char('c'), none), None);
        assert_eq!(pressed(KeyCode::Down, none), Some(Key::Down));
        assert_eq!(pressed(KeyCode::Tab, none), Some(Key::Other));
        assert_eq!(pressed(KeyCode::Char('s'), none), Some(Key::Sort));
        assert_eq!(meant(&Event::Resize(80, 24)), Some(Key::Redraw));
    }
}
