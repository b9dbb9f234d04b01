//! Many minds on one seeded thread, every hand faked.
