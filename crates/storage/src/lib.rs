//! Keep bytes: content-addressed packs, erasure coding, tiers, indexes, journals.
