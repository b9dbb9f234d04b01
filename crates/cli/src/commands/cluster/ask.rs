//! Asking before something that cannot be taken back by a command.

use super::super::Context;
use crate::failure::Failure;
use std::io::{self, BufRead, IsTerminal, Read};

/// Bytes of an answer that are looked at.
const ANSWER_BYTES: u64 = 64;

/// Whether the person wants it: said with --yes, or to a question.
///
/// # Errors
/// Nobody can be asked.
pub(super) fn agrees(yes: bool, question: &str, context: &Context<'_>) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("nothing was changed: there is no terminal to ask on")
            .next("read what is said above; if that is what you want, add --yes"));
    }
    context.out.say(format!("{question} Type yes:"));
    let mut answer = String::new();
    let read = io::stdin().lock().take(ANSWER_BYTES).read_line(&mut answer);
    read.map_err(|error| Failure::file("stdin".as_ref(), &error))?;
    Ok(answer.trim() == "yes")
}
