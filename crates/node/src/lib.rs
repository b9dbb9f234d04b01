//! Configure, wire, admit, drive, shut down.
