//! The trivial task: 1 KiB of input that no other task has, 1 KiB of output that follows from it.

use anyhow::{Context as _, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Bytes of an input, and of an output.
pub(crate) const SIZE_BYTES: usize = 1024;

/// The input of that number: bytes of a linear congruential generator (Knuth's MMIX constants), so
/// that nothing compresses.
pub(crate) fn input(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D;
    let mut bytes = number.to_be_bytes().to_vec();
    while bytes.len() < SIZE_BYTES {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend((state >> 32).to_be_bytes());
    }
    bytes.truncate(SIZE_BYTES);
    bytes
}

/// What the program must give for it.
fn output(number: u64) -> Vec<u8> {
    input(number).into_iter().map(|byte| !byte).collect()
}

/// Writes the program to a file.
pub(crate) fn program(dir: &Path) -> anyhow::Result<PathBuf> {
    assemble(dir, "trivial", include_str!("trivial.wat"))
}

/// Writes a program to a file.
pub(crate) fn assemble(dir: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let path = dir.join(format!("{name}.wasm"));
    let bytes = wat::parse_str(text).with_context(|| format!("{name}.wat"))?;
    fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    Ok(path)
}

/// Writes the inputs of these numbers, as `NUMBER.bin`.
pub(crate) fn inputs(dir: &Path, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    for number in numbers {
        let path = dir.join(format!("{number}.bin"));
        fs::write(&path, input(number)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Checks that the outputs of these numbers are there and right.
pub(crate) fn check(dir: &Path, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    for number in numbers {
        let path = dir.join(format!("{number}.bin"));
        let found = fs::read(&path).with_context(|| path.display().to_string())?;
        ensure!(found == output(number), "{} is not what the program gives", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{SIZE_BYTES, input, output};
    use std::collections::BTreeSet;

    #[test]
    fn inputs_are_different_and_have_their_size() {
        let all: BTreeSet<_> = (0..1000).map(input).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|bytes| bytes.len() == SIZE_BYTES));
        assert_ne!(input(3), output(3));
    }

    #[test]
    fn the_program_is_one() {
        wat::parse_str(include_str!("trivial.wat")).expect("it assembles");
    }
}
