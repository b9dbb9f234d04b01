//! Exit codes: the program's own, and ours.

/// How a command ends. 120 to 127 are ours; the help says what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for is done.
    Success,
    /// A receipt holds, but no network was pinned.
    Unpinned,
    /// A task was run again on another engine: nothing can be compared.
    NotComparable,
    /// The program ended with this code, which is not 0.
    Program(u32),
    /// Some task ended without agreement.
    NotAgreed,
    /// The node refused.
    Refused,
    /// No node answers.
    NoNode,
    /// Something does not verify, or results could not be had.
    Unverified,
    /// The time that was given is over.
    Timeout,
    /// The command line or an input makes no sense.
    Usage,
    /// The program trapped or met a limit.
    Stopped,
    /// A fault of this program or this machine.
    Internal,
    /// Ctrl-C; the job goes on.
    Interrupted,
}

/// The table of codes, for help texts.
pub(crate) const HELP: &str = "\
Exit codes:
  0        done; for a sweep: every task ended with 0
  1..255   the program's own code, of the first task that has one;
           its 120..127 and its codes over 255 are given as 119
  120      not agreed: some task ended without agreement
  121      refused: by the node, or by the polity
  122      no node: none answers
  123      unverified: a receipt or a file does not hold, or is not there
  124      timeout: the time given with --timeout is over
  125      usage: the command line or an input makes no sense
  126      stopped: the program trapped or met a limit
  127      internal: this program or this machine failed
  130      interrupted with Ctrl-C; the job goes on";

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Unpinned => 1,
            Self::NotComparable => 2,
            Self::Program(code) => match u8::try_from(code) {
                Ok(code) if !(120..=127).contains(&code) => code,
                _ => 119,
            },
            Self::NotAgreed => 120,
            Self::Refused => 121,
            Self::NoNode => 122,
            Self::Unverified => 123,
            Self::Timeout => 124,
            Self::Usage => 125,
            Self::Stopped => 126,
            Self::Internal => 127,
            Self::Interrupted => 130,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_code_never_looks_like_one_of_ours() {
        for code in 1..=300 {
            let seen = Exit::Program(code).code();
            assert!(!(120..=127).contains(&seen) && seen != 0, "{code}");
            if code < 120 || (128..256).contains(&code) {
                assert_eq!(u32::from(seen), code);
            }
        }
    }

    #[test]
    fn the_help_names_every_code_of_ours() {
        let ours = [
            Exit::NotAgreed,
            Exit::Refused,
            Exit::NoNode,
            Exit::Unverified,
            Exit::Timeout,
            Exit::Usage,
            Exit::Stopped,
            Exit::Internal,
            Exit::Interrupted,
        ];
        for (at, exit) in ours.into_iter().enumerate() {
            let expected = if exit == Exit::Interrupted { 130 } else { 120 + at };
            assert_eq!(usize::from(exit.code()), expected);
            assert!(HELP.contains(&format!("\n  {expected} ")), "{expected}");
        }
        assert!(HELP.lines().all(|line| line.chars().count() <= 80));
    }
}
