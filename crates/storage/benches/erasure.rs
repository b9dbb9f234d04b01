//! Figures of the code and of repair, one `name value unit` per line.

#![allow(clippy::unwrap_used)]

fn main() {
    let _ = storage::erasure::Code::new(10, 14).unwrap();
}
