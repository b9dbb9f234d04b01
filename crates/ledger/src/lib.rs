//! What the ordered transactions mean: state and roots.
